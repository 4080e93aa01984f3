"""One authority for the whole lab, and a certificate for each program that speaks TLS. Keys exist for one run only."""
import os
import subprocess

DAYS = "2"


class Authority:
    """An authority of this run. `ca_file` is what everybody trusts."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.ca_file, self.ca_key = os.path.join(folder, "ca.pem"), os.path.join(folder, "ca.key")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS,
                      "-subj", "/CN=nodex-lab", "-keyout", self.ca_key, "-out", self.ca_file)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, addresses, chain, key):
        """A certificate for `name`, localhost and `addresses`, good for both ends of a connection, to `chain` and `key`."""
        names = ",".join(["DNS:localhost", f"DNS:{name}", *(f"IP:{address}" for address in ["127.0.0.1", *addresses])])
        request, extensions = os.path.join(self.folder, f"{name}.csr"), os.path.join(self.folder, f"{name}.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca_file, "-CAkey", self.ca_key, "-CAcreateserial",
                      "-days", DAYS, "-extfile", extensions, "-out", chain)
        os.chmod(key, 0o600)
