"""A NATS client on a raw socket: what a program with stolen credentials could do, without a library that is polite."""
import json
import socket
import urllib.parse


class Nats:
    def __init__(self, url, timeout=10):
        where = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((where.hostname, where.port), timeout)
        self.file = self.socket.makefile("rb")
        self.subscriptions = 0
        self.heard = []
        self.errors = []
        assert self.file.readline().startswith(b"INFO ")
        self.send("CONNECT " + json.dumps({"verbose": False, "pedantic": False, "user": where.username, "pass": where.password,
                                           "protocol": 1, "lang": "test", "version": "1"}))
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, line, payload=None):
        self.socket.sendall(line.encode() + b"\r\n" + (b"" if payload is None else payload + b"\r\n"))

    def subscribe(self, subject):
        self.subscriptions += 1
        self.send(f"SUB {subject} {self.subscriptions}")
        self.flush()

    def publish(self, subject, payload=b"x", reply=""):
        self.send(f"PUB {subject} {reply} {len(payload)}", payload)
        self.flush()

    def flush(self):
        """The server has taken everything; what it had for us is in `heard` as (subject, payload)."""
        self.send("PING")
        while True:
            line = self.file.readline()
            assert line, f"the server closed the connection: {self.errors}"
            words = line.split()
            if words[0] == b"PONG":
                return self.heard
            if words[0] == b"PING":
                self.send("PONG")
            elif words[0] == b"-ERR":
                self.errors.append(line.decode().strip())
            elif words[0] == b"MSG":
                size = int(words[-1])
                self.heard.append((words[1].decode(), self.file.read(size + 2)[:size]))

    def subjects(self):
        return [subject for subject, _ in self.flush()]
