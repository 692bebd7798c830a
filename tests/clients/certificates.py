"""Certificates for the listeners of a test run."""

import pathlib
import shutil
import subprocess


class Authority:
    """A certificate authority of this run and a certificate of it for the listeners, each in a file."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.certificate = self.directory / "ca.crt"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        self._openssl(*key, "-subj", "/CN=Understudy test authority", "-keyout", "ca.key", "-out", "ca.crt",
                      "-addext", "keyUsage=critical,keyCertSign")
        self._openssl(*key, "-subj", "/CN=127.0.0.1", "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "tls.key", "-out",
                      "tls.crt", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
                      "-addext", "extendedKeyUsage=serverAuth")
        self.keystore = self.directory / "ca.p12"
        if shutil.which("keytool"):
            subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", self.certificate, "-keystore",
                            self.keystore, "-storetype", "PKCS12", "-storepass", "changeit"],
                           check=True, capture_output=True)

    def _openssl(self, *words):
        subprocess.run(["openssl", "req", "-x509", *words], check=True, capture_output=True, cwd=self.directory)

    def serve_in(self, directory):
        for name in ("tls.crt", "tls.key"):
            shutil.copy(self.directory / name, directory)

    def trusted(self):
        """How each client is told of it: the variables that an operator would set."""
        return {**{name: str(self.certificate) for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")},
                "JDK_JAVA_OPTIONS": f"-Djavax.net.ssl.trustStore={self.keystore} "
                                    "-Djavax.net.ssl.trustStorePassword=changeit"}
