"""Medians, dropped rounds and goals, on figures made by hand."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import report  # pylint: disable=wrong-import-position
import summary  # pylint: disable=wrong-import-position


def measurement(server, value, dropped=(), case="open-64", metric="server_cpu_us_per_request"):
    return {"case": case, "server": server, "dropped": list(dropped), "values": {metric: value}}


class Summary(unittest.TestCase):
    def test_takes_the_median_of_undisturbed_rounds(self):
        found = summary.summarise([measurement("nodex", value) for value in (30, 10, 20)] +
                                  [measurement("nodex", 999, ["load processor saturated"])])
        nodex = found["open-64"]["nodex"]
        self.assertEqual(nodex["metrics"]["server_cpu_us_per_request"],
                         {"median": 20, "least": 10, "most": 30, "rounds": 3})
        self.assertEqual((nodex["rounds_kept"], nodex["rounds_dropped"], nodex["noisy"]), (3, 1, False))

    def test_marks_a_server_without_an_undisturbed_round(self):
        found = summary.summarise([measurement("nodex", 5, ["2 failures"])])["open-64"]["nodex"]
        self.assertTrue(found["noisy"])
        self.assertEqual(found["reasons"], ["2 failures"])
        self.assertEqual(found["metrics"]["server_cpu_us_per_request"]["median"], 5)

    def test_leaves_out_what_was_never_measured(self):
        found = summary.summarise([measurement("direct", None)])["open-64"]["direct"]
        self.assertIsNone(found["metrics"]["server_cpu_us_per_request"])

    def test_judges_ratios_against_bar_and_goal(self):
        for ours, expected in ((10, "goal"), (20, "first bar"), (21, "not met")):
            rows = summary.bars(summary.summarise([measurement("nodex", ours), measurement("nginx", 10)]))
            self.assertEqual([row["met"] for row in rows], [expected])

    def test_judges_throughput_the_other_way_round(self):
        for ours, expected in ((100, "goal"), (60, "first bar"), (59, "not met")):
            rows = summary.bars(summary.summarise(
                [measurement("nodex", ours, case="closed-64", metric="requests_per_s"),
                 measurement("nginx", 100, case="closed-64", metric="requests_per_s")]))
            self.assertEqual([row["met"] for row in rows], [expected])

    def test_adds_over_direct(self):
        where = {"case": "open-1", "metric": "call.p50_us"}
        rows = summary.bars(summary.summarise(
            [measurement("nodex", 190, **where), measurement("direct", 100, ["strangers"], **where)]))
        self.assertEqual([(row["value"], row["met"], row["noisy"]) for row in rows], [(90, "not met", True)])

    def test_compares_within_each_round_also_of_joined_parts(self):
        rounds = [(0, 20, 10), (1, 90, 30), (0, 40, 40), (0, 5, 10)]  # three parts, two of one round
        rows = summary.within_rounds(
            [measurement(server, value, ["strangers"]) | {"round": number} for number, ours, theirs in rounds
             for server, value in (("nodex", ours), ("nginx", theirs), ("direct", 1))])
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0]["nginx"], {"median": 1.5, "least": 0.5, "most": 3, "rounds": 4})
        self.assertIsNone(rows[0].get("direct"))
        self.assertIn("| CPU a request, open loop of 64 | 1.50 [0.50-3.00] |  |  |  | 4 |", report.rounds_table(rows))

    def test_joins_two_parts_of_a_comparison(self):
        def part(command, case, *servers):
            return {"about": {"command": command, "commit": "c", "versions": {name: name for name in servers}},
                    "date": "d", "skipped": [], "memory": [], "cases": [{"name": case}],
                    "measurements": [measurement(name, 5, case=case) for name in servers]}

        whole = summary.joined(part("first", "open-64", "nodex", "nginx"),
                               part("second", "closed-64", "nodex"), ["closed-64", "open-1", "open-64"])
        self.assertEqual([case["name"] for case in whole["cases"]], ["closed-64", "open-64"])
        self.assertEqual(whole["about"]["command"], "first`, `second")
        self.assertEqual(set(whole["about"]["versions"]), {"nodex", "nginx"})
        self.assertEqual(len(whole["measurements"]), 3)
        more = summary.joined(whole, part("third", "closed-64", "nodex"), ["closed-64", "open-64"])
        self.assertEqual(len(summary.summarise(more["measurements"])["closed-64"]), 1)
        self.assertEqual(summary.summarise(more["measurements"])["closed-64"]["nodex"]["rounds_kept"], 2)

    def test_the_table_says_when_not_to_trust(self):
        found = summary.summarise([measurement("nodex", 5, ["load processor saturated"])])
        case = {"title": "t", "metrics": ("server_cpu_us_per_request",)}
        self.assertIn("do not trust", "\n".join(report.case_table(case, found["open-64"])))


if __name__ == "__main__":
    unittest.main()
