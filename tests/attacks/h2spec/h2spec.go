//go:build tools

// Names h2spec, so that go.mod pins it and what it is built from.
package h2spec

import _ "github.com/summerwind/h2spec/cmd/h2spec"
