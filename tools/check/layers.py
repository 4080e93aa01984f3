#!/usr/bin/env python3
"""Include arrows: which folder may include which, and which third-party header belongs to whom.

Arrows point down (ARCHITECTURE.md). A third-party header is included by .cc files of its owners only, so that
our headers speak in our types and a library can be replaced in one place.
"""
import re
import sys

import tree

BASE, IO, CRYPTO, TLS, HTTP = "edge/base", "edge/io", "edge/crypto", "edge/tls", "edge/http"
API, CHANNEL, CONNECTION, STORAGE = "edge/api", "edge/channel", "edge/connection", "storage"
POSTGRES = "replication/central/postgres"
REPLICATION, UPSTREAM, GATEWAY = "replication", "edge/upstream", "edge/gateway"
ADMIN, CORE, METRICS = "edge/admin", "edge/core", "edge/metrics"
NATS, CONFIG, PROGRAM = "replication/nats", "edge/config", "replication/central/program"

# What a folder may include besides itself. The order is the order of the arrows.
MAY_INCLUDE = {
    BASE: [],
    CONFIG: [BASE],
    IO: [BASE],
    CRYPTO: [BASE],
    TLS: [BASE, CRYPTO],
    HTTP: [BASE],
    API: [BASE, CRYPTO],
    CHANNEL: [BASE, IO, TLS],
    CONNECTION: [BASE, IO, CRYPTO, TLS, HTTP, CHANNEL],
    METRICS: [BASE, CONNECTION, NATS],
    STORAGE: [BASE, CRYPTO],
    REPLICATION: [BASE, CRYPTO, STORAGE],
    NATS: [BASE, CRYPTO, STORAGE, REPLICATION],
    POSTGRES: [BASE, STORAGE, REPLICATION],
    UPSTREAM: [BASE, IO, CRYPTO, TLS, HTTP, CHANNEL],
    GATEWAY: [BASE, IO, CRYPTO, HTTP, API, CHANNEL, CONNECTION, STORAGE, REPLICATION, UPSTREAM],
    ADMIN: [BASE, CONNECTION, REPLICATION],
    CORE: [BASE, IO, CRYPTO, TLS, HTTP, API, CHANNEL, CONNECTION, STORAGE, REPLICATION, UPSTREAM, GATEWAY,
           ADMIN, NATS, CONFIG, METRICS],
    PROGRAM: [BASE, IO, CRYPTO, CONNECTION, METRICS, STORAGE, REPLICATION, NATS, POSTGRES, CONFIG],
    "tools/nodex": [BASE, HTTP],  # nothing with BoringSSL: libcurl brings OpenSSL
    "tools/provider": [BASE, IO, CRYPTO, TLS, HTTP, API, CHANNEL, CONNECTION],
    "bench/load": [BASE, IO, CRYPTO, TLS, HTTP, CHANNEL],
}
ANYTHING = ["tests/", "bench/micro/"]  # tests and micro-benches look at every folder

# Nothing in the gateway may know whether the centre is in this process (ARCHITECTURE.md, section 6).
FORBIDDEN = [(GATEWAY, "replication/central/"), (GATEWAY, "replication/nats/"),
             (GATEWAY, "replication/transport")]

# First part of a third-party include, and the folders whose .cc files may have it.
THIRD_PARTY = {
    "liburing.h": [IO],
    "libpq-fe.h": [POSTGRES],
    "llhttp.h": [HTTP],
    # BoringSSL's; in tools/nodex OpenSSL's, the one that libcurl brings. No program links both and uses both.
    "openssl/": [CRYPTO, TLS, "tools/nodex"],
    "rocksdb/": [STORAGE],
    "zstd.h": [STORAGE],
    "simdjson.h": [API],
    "rapidjson/": [REPLICATION, "tools/nodex"],
    "toml++/": [CONFIG],
    "CLI/": [CORE, PROGRAM, "tools/nodex", "tools/provider", "bench/load"],
    "spdlog/": [BASE],
    "prometheus/": [METRICS],
    "seccomp.h": [CORE],
    "nats/": [NATS],
    "curl/": ["tools/nodex"],
    "gtest/": ["tests/"],
    "gmock/": ["tests/"],
    "benchmark/": ["bench/micro"],
}
# The system's own headers: the C library and the kernel's interface.
SYSTEM = re.compile(r"(sys|netinet|arpa|linux|net|asm|sanitizer)/.*\.h|"
                    r"(unistd|fcntl|signal|poll|pthread|sched|time|errno|dirent|netdb|dlfcn|grp|pwd|spawn|"
                    r"stdlib|string|stdio|malloc|execinfo|immintrin|termios|endian|byteswap)\.h")
STANDARD = re.compile(r"[a-z_0-9]+")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def folder_of(path):
    """The most specific folder of the table that holds `path`, or None."""
    holders = [folder for folder in MAY_INCLUDE if path.startswith(folder + "/")]
    return max(holders, key=len) if holders else None


def problem_of_ours(path, target):
    if any(path.startswith(free) for free in ANYTHING):
        return None
    source, wanted = folder_of(path), folder_of(target)
    if "/" not in target:
        return f"includes {target}: write includes from the root"
    if source is None:
        return "is in a folder that tools/check/layers.py does not know"
    for folder, prefix in FORBIDDEN:
        if source == folder and target.startswith(prefix):
            return f"includes {target}: {folder} must not know {prefix}"
    if wanted is None:
        return f"includes {target}, which is in no known folder"
    if wanted != source and wanted not in MAY_INCLUDE[source]:
        return f"includes {target}: the arrow from {source} to {wanted} points up"
    return None


def problem_of_third_party(path, target):
    if STANDARD.fullmatch(target) or SYSTEM.fullmatch(target):
        return None
    for prefix, owners in THIRD_PARTY.items():
        if not (target == prefix or (prefix.endswith("/") and target.startswith(prefix))):
            continue
        if path.startswith(("tests/unit/", "tests/contract/", "bench/micro/")) and path.endswith(".cc"):
            return None  # a test may hold our code against the library itself
        if not any(path.startswith(owner.rstrip("/") + "/") for owner in owners):
            return f"includes <{target}>, which belongs to {', '.join(owners)}"
        if not path.endswith(".cc") and not path.startswith("tests/") and not is_private_header(path):
            return f"includes <{target}>: a third-party header stays in .cc files"
        return None
    return f"includes <{target}>, which tools/check/layers.py does not know: name its owner there"


def is_private_header(path):
    """A header that says in its first comment that only its own folder's .cc files include it."""
    return "private to" in tree.read(path).split("\n#", 1)[0].lower()


def main():
    problems = []
    paths = tree.files(".h", ".cc")
    for path in paths:
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            ours, theirs = match.groups()
            problem = problem_of_ours(path, ours) if ours else problem_of_third_party(path, theirs)
            if problem:
                problems.append(f"{path}:{number}: {problem}")
    problems += private_headers_included_elsewhere(paths)
    return tree.report(problems, len(paths), "files")


def private_headers_included_elsewhere(paths):
    private = {path for path in paths if path.endswith(".h") and is_private_header(path)}
    problems = []
    for path in paths:
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            match = INCLUDE.match(line)
            target = match.group(1) if match else None
            if target in private and folder_of(path) != folder_of(target) and not path.startswith("tests/"):
                problems.append(f"{path}:{number}: includes {target}, which is private to its folder")
    return problems


if __name__ == "__main__":
    sys.exit(main())
