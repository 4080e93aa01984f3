#!/usr/bin/env python3
"""The checks find what they are for: each is shown a planted offence and its innocent neighbour."""
import sys
import unittest

import documents
import functions
import headers
import layers
import operations
import tidy


def bans(path, line):
    return [problem for _, problem in tidy.check_bans(path, "// x\n" + line + "\n")]


class Layers(unittest.TestCase):
    def test_an_arrow_that_points_up_is_found(self):
        self.assertIsNotNone(layers.problem_of_ours("edge/base/x.h", "edge/io/io.h"))
        self.assertIsNotNone(layers.problem_of_ours("storage/x.cc", "replication/leases.h"))
        self.assertIsNone(layers.problem_of_ours("edge/io/x.h", "edge/base/clock.h"))
        self.assertIsNone(layers.problem_of_ours("replication/central/x.cc", "storage/store.h"))

    def test_the_gateway_may_not_know_which_centre_it_has(self):
        self.assertIsNotNone(layers.problem_of_ours("edge/gateway/x.cc", "replication/central/central.h"))
        self.assertIsNotNone(layers.problem_of_ours("edge/gateway/x.cc", "replication/transport_inproc.h"))
        self.assertIsNone(layers.problem_of_ours("edge/gateway/x.cc", "replication/agent.h"))

    def test_a_foreign_header_in_the_wrong_folder_is_found(self):
        self.assertIsNotNone(layers.problem_of_third_party("edge/gateway/x.cc", "openssl/ssl.h"))
        self.assertIsNotNone(layers.problem_of_third_party("edge/gateway/x.cc", "boost/asio.hpp"))
        self.assertIsNone(layers.problem_of_third_party("edge/tls/x.cc", "openssl/ssl.h"))
        self.assertIsNone(layers.problem_of_third_party("edge/tls/x.cc", "sys/socket.h"))
        self.assertIsNone(layers.problem_of_third_party("edge/tls/x.cc", "string_view"))

    def test_an_include_that_is_not_from_the_root_is_found(self):
        self.assertIsNotNone(layers.problem_of_ours("edge/tls/x.cc", "policy.h"))


class Headers(unittest.TestCase):
    def test_only_the_first_include_of_a_source_is_compiled_alone_by_the_build(self):
        sources = {"a.cc": '// a\n#include "x/a.h"\n\n#include "x/b.h"\n', "c.cc": '#include <map>\n#include "x/c.h"\n', "d.cc": "int d;\n"}
        self.assertEqual(headers.begun_with(sources, sources.get) - {None}, {"x/a.h"})

    def test_a_change_in_a_header_that_is_reached_changes_the_digest(self):
        texts = {"edge/base/ids.h": '#include "edge/base/bytes.h"\n', "edge/base/bytes.h": "int a;\n"}
        before = headers.digest_of("edge/base/ids.h", ["g++"], texts.get)
        texts["edge/base/bytes.h"] = "int b;\n"
        self.assertNotEqual(before, headers.digest_of("edge/base/ids.h", ["g++"], texts.get))


class Tidy(unittest.TestCase):
    def test_banned_words_are_found_in_code_only(self):
        for line in ("std::thread t;", "sleep(1);", "auto n = steady_clock::now();", "throw 1;", "assert(x);",
                     "using namespace std;", "int* p = new int;", "delete p;", "co_await x;", "rand();",
                     "std::cout << 1;", "malloc(3);"):
            self.assertTrue(bans("edge/http/x.cc", line), line)
            self.assertFalse(bans("edge/http/x.cc", "// " + line), line)
            self.assertFalse(bans("edge/http/x.cc", f'const char* s = "{line}";'), line)

    def test_neighbours_of_banned_words_are_left_alone(self):
        for line in ("X(const X&) = delete;", "new (&value_) T(x);", "std::unique_ptr<X> x(new X);",
                     "#include <new>", "static_assert(x);", "retry();", "uptime(0);", "int operand(3);",
                     "NX_ASSERT(x);"):
            self.assertFalse(bans("edge/http/x.cc", line), line)

    def test_a_thread_is_allowed_to_its_owners(self):
        self.assertFalse(bans("storage/commit_thread.cc", "std::thread t;"))

    def test_shape_is_checked(self):
        def problems(text):
            return [problem for _, problem in tidy.check_shape("edge/x.cc", text)]
        self.assertEqual(problems("// x\n"), [])
        self.assertTrue(problems("// " + "x" * 108 + "\n"))
        self.assertEqual(problems("// " + "x" * 107 + "\n"), [])
        self.assertTrue(problems("// x\n" * 701))
        self.assertEqual(problems("// x\n" * 700), [])
        for text in ("// x", "// x \n", "\t// x\n", "// TO" "DO\n", "// /wo" "rk/x\n", "/ro" "ot\n"):
            self.assertTrue(problems(text), text)

    def test_a_test_that_is_no_sentence_is_found(self):
        def problems(name):
            return list(tidy.check_tests("tests/unit/x_test.cc", f"// x\nTEST(Parser, {name}) {{\n"))
        self.assertTrue(problems("refuses_it"))
        self.assertTrue(problems("Refuses_It"))
        self.assertFalse(problems("RefusesSecondContentLength"))

    def test_sleeping_is_left_to_the_waiting_module(self):
        line = "time.sl" "eep(1)\n"
        self.assertTrue(list(tidy.check_tests("tests/integration/test_x.py", line)))
        self.assertFalse(list(tidy.check_tests("tests/support/waiting.py", line)))


class Functions(unittest.TestCase):
    def test_a_function_is_measured_from_head_to_brace(self):
        text = """// x
namespace a {
class B {
    int f(int x) const {
        if (x) { return 1; }
        return '{';
    }
};
int
g() {
    auto l = [] { return "}"; };
    return l();
}
}
"""
        found = [(name, lines) for name, _, lines in functions.functions(text)]
        self.assertEqual(found, [("f", 4), ("g", 5)])

    def test_71_lines_are_too_long_and_70_are_not(self):
        def problems(lines):
            return list(functions.check_lengths("x.cc", "void f() {\n" + "    g();\n" * (lines - 2) + "}\n"))
        self.assertTrue(problems(71))
        self.assertFalse(problems(70))


class Documents(unittest.TestCase):
    def test_a_link_to_nowhere_is_found_and_so_is_a_heading_that_is_not_there(self):
        def problems(text):
            return list(documents.broken_links("deploy/a.md", text, {"edge", "deploy/b.md"}.__contains__, lambda _: {"disk-full"}))
        self.assertTrue(problems("[x](c.md)"))
        self.assertTrue(problems("[x](b.md#disk-empty)"))
        self.assertFalse(problems("[x](b.md#disk-full), [y](../edge), [z](https://example.com/c.md)"))
        self.assertFalse(problems("```\n[x](c.md)\n```\n"))
        self.assertEqual(documents.anchor_of("`[[pop]]`, a POP's disk"), "pop-a-pops-disk")

    def test_a_file_that_is_not_there_is_found(self):
        def problems(text):
            return list(documents.lost_files(text, {"edge/io/ring.cc", "deploy/nats/README.md"}))
        for lost in ("`rings.cc`", "edge/ring.cc", "`io/ring.h`", "[x](../README2.md)"):
            self.assertTrue(problems(lost), lost)
        for sound in ("`ring.cc`", "edge/io/ring.cc", "`io/ring.cc`", "[x](nats/README.md)", "`test_*.py`"):
            self.assertFalse(problems(sound), sound)

    def test_a_test_that_is_not_there_is_found(self):
        def problems(text):
            return list(documents.lost_cpp_tests(text, {"Ring": {"StartsDisabled"}}))
        for lost in ("Ring.Starts", "Ring.Stops*", "Rings.StartsDisabled"):
            self.assertTrue(problems(lost), lost)
        for sound in ("Ring.StartsDisabled", "Ring.Starts...", "Ring.*", "The end. Another"):
            self.assertFalse(problems(sound), sound)
        self.assertTrue(list(documents.lost_python_tests("a_key_is_lost", {"a_key_is_found"})))
        self.assertFalse(list(documents.lost_python_tests("a_key_is_found, a_key_is_f..., max_tokens", {"a_key_is_found"})))

    def test_a_source_that_its_folders_page_leaves_out_is_found(self):
        def problems(text):
            return list(documents.unnamed_sources("edge/io/README.md", text, ["edge/io/ring.cc", "edge/io/ring.h", "edge/tls/x.cc"]))
        self.assertEqual(len(problems("- `buffer-ring`")), 2)
        self.assertFalse(problems("- `ring.h` (`.cc`)"))


class Operations(unittest.TestCase):
    def test_log_events_are_read_from_every_shape_of_call(self):
        sources = {"a.cc": 'log::error("disk_full", {{"path", "x_y"}}); log::write(log::Level::debug, "tried",\n {});\n'
                           'log::write(a ? log::Level::info : log::Level::error,\n a ? "ended" : "failed");'}
        self.assertEqual(operations.events_of(sources), {"disk_full", "tried", "ended", "failed"})

    def test_an_event_that_is_not_listed_and_one_that_nobody_logs_are_found(self):
        page = "## Log events\n| event | level |\n| --- | --- |\n| disk_full, ended | info |\n"
        self.assertEqual(list(operations.event_problems({"disk_full", "ended"}, page, "")), [])
        self.assertEqual(len(list(operations.event_problems({"disk_full", "failed"}, page, ""))), 2)

    def test_a_metric_that_no_program_tells_is_found(self):
        def problems(text):
            return list(operations.metric_problems({"nodex_runs", "nodex_stage_seconds"}, {"a.md": text}))
        self.assertFalse(problems("`nodex_runs`, nodex_stage_seconds_bucket"))
        self.assertTrue(problems("`nodex_run`"))

    def test_a_key_on_one_side_only_is_found(self):
        described = operations.described_keys("| key | what |\n| --- | --- |\n| cores | loops |\n\n"
                                              "| section | key |\n| --- | --- |\n| `[node]` | name |\n| | user |\n")
        self.assertEqual(described, {"cores", "name", "user"})
        self.assertFalse(list(operations.key_problems({"cores", "name"}, {"user"}, described, "x")))
        self.assertEqual(len(list(operations.key_problems({"core", "name", "user"}, set(), described, "x"))), 2)

    def test_a_wrong_status_and_a_lost_command_are_found(self):
        page = "Commands: key.create, .list; pop.list. More.\n## Errors\n| a | b | c | d |\n| --- | --- | --- | --- |\n| x, y | 404 | no | z |\n"
        self.assertFalse(list(operations.code_problems({"x": ("404", False), "y": ("404", False)}, page)))
        self.assertEqual(len(list(operations.code_problems({"x": ("404", True), "z": ("500", False)}, page))), 3)
        self.assertFalse(list(operations.command_problems({"key.create", "key.list", "pop.list"}, page)))
        self.assertTrue(list(operations.command_problems({"key.create", "pop.list"}, page)))


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False, verbosity=0).result.wasSuccessful())
