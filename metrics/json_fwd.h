#pragma once
// A JSON tree and its parser by their names. Who only hands a tree on needs no more, and is spared
// simdjson's header, which takes a compiler two seconds each time.

namespace simdjson::dom {
class element;
}  // namespace simdjson::dom

namespace understudy::metrics {

using Json = simdjson::dom::element;
class JsonParser;

}  // namespace understudy::metrics
