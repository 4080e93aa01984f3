#!/usr/bin/env python3
"""The verdicts find what they are for: each is shown evidence with one planted violation, and the same evidence without."""
import copy
import json
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from lab import chart, evidence, page, regions, report, verdicts  # noqa: E402  the path is set above
from lab.caller import Broken, EventReader  # noqa: E402
from lab.history import ACKNOWLEDGED, ENDED, Attempt, Operation  # noqa: E402
from lab.purse import INPUT_NANO, OUTPUT_NANO  # noqa: E402

ACCOUNT, WORDS, TOKENS = 7, 20, 5


def operation(number, outcome=ACKNOWLEDGED):
    made = Operation(ACCOUNT, "nxk_x", f"key-{number}", f"op-{number}", WORDS + number, TOKENS, False, "{}", body=b"answer",
                     outcome=outcome)
    made.attempts = [Attempt("pop1", 0.0, 1.0, "200", request_id=f"request-{number}")]
    return made


def row(number, *, output=TOKENS, request=None, source="provider", pop=1):
    return {"kind": "charge", "row": number, "pop": pop, "request_id": request or f"request-{number}", "usage_source": source,
            "units": {"input": WORDS + number, "output": output},
            "amount_nano": (WORDS + number) * INPUT_NANO + output * OUTPUT_NANO}


def clean():
    """Three calls at one POP, all as they should be; the third ended with an error after two tokens."""
    operations = [operation(1), operation(2), operation(3, ENDED)]
    rows = [row(1), row(2), row(3, output=2, source="counted")]
    spent = sum(one["amount_nano"] for one in rows)
    return evidence.Evidence(
        operations=operations, problems=[], runs={"op-1": 1, "op-2": 1, "op-3": 1}, rows={ACCOUNT: rows},
        balances={ACCOUNT: {"balance_nano": 10**9 - spent}}, topped_up={ACCOUNT: 10**9}, audit={"sound": True},
        pops={"pop1": {"runs": 0, "outbox": 0}}, refetched=[(one, 200, b"answer", True) for one in operations[:2]])


def broken(found):
    return [verdict.name for verdict in verdicts.judge(found) if not verdict.holds]


class Verdicts(unittest.TestCase):
    def assert_found_by(self, plant, *names):
        """`plant` changes the evidence, and at least the verdicts whose names begin like `names` must notice."""
        found = copy.deepcopy(clean())
        plant(found)
        offended = broken(found)
        for name in names:
            self.assertTrue(any(one.startswith(name) for one in offended), f"{name} not among {offended}")

    def test_clean_evidence_offends_nobody(self):
        self.assertEqual(broken(clean()), [])

    def test_an_answer_that_comes_back_different_is_found(self):
        def plant(found):
            found.refetched[0] = (found.operations[0], 200, b"another", False)
        self.assert_found_by(plant, "an acknowledged answer is still fetchable")

    def test_that_no_answer_was_fetched_again_is_found(self):
        self.assert_found_by(lambda found: found.refetched.clear(), "an acknowledged answer is still fetchable")

    def test_the_text_of_an_answer_is_found_in_both_of_its_forms(self):
        stream = b'id: evt_00001\ndata: {"choices":[{"delta":{"content":"a b"}}]}\n\nid: evt_00002\ndata: [DONE]\n\n'
        self.assertEqual(evidence.text_of_answer(stream, True), "a b")
        self.assertEqual(evidence.text_of_answer(b'{"choices":[{"message":{"content":"a b"}}]}', False), "a b")
        self.assertIsNone(evidence.text_of_answer(b'{"error":{}}', False))

    def test_an_answer_without_a_charge_is_found(self):
        def plant(found):
            found.rows[ACCOUNT].pop(0)
        self.assert_found_by(plant, "an acknowledged answer is charged once", "the sum of the rows")

    def test_an_answer_that_is_charged_for_less_is_found(self):
        def plant(found):
            found.rows[ACCOUNT][0]["units"]["output"] = TOKENS - 1
        self.assert_found_by(plant, "an acknowledged answer is charged once", "every row can be computed")

    def test_a_second_charge_of_a_call_at_another_pop_is_found(self):
        def plant(found):
            found.rows[ACCOUNT].append(row(1, request="elsewhere", pop=2))
        self.assert_found_by(plant, "no call is charged twice", "an acknowledged answer is charged once", "the sum of the rows")

    def test_a_charge_that_no_client_heard_of_is_found_when_all_calls_are_charged(self):
        def plant(found):
            found.rows[ACCOUNT].append(row(9, request="unheard", source="counted"))
            found.operations.append(operation(4))
            found.rows[ACCOUNT].append(row(4))
        self.assert_found_by(plant, "no call is charged twice")

    def test_a_charge_for_what_never_ran_is_found(self):
        def plant(found):
            del found.runs["op-3"]
        self.assert_found_by(plant, "what is charged ran")

    def test_a_balance_that_differs_by_one_nano_unit_is_found(self):
        def plant(found):
            found.balances[ACCOUNT]["balance_nano"] -= 1
        self.assert_found_by(plant, "the sum of the rows")

    def test_a_balance_below_zero_is_found(self):
        def plant(found):
            found.balances[ACCOUNT]["balance_nano"] = -1
        self.assert_found_by(plant, "no balance is below zero")

    def test_an_unsound_ledger_is_found(self):
        def plant(found):
            found.audit["sound"] = False
        self.assert_found_by(plant, "the ledger proves itself")

    def test_a_settlement_that_was_not_shipped_and_a_run_that_was_not_closed_are_found(self):
        for state in ({"runs": 0, "outbox": 1}, {"runs": 1, "outbox": 0}, None):
            def plant(found, state=state):
                found.pops["pop1"] = state
            self.assert_found_by(plant, "every outbox is drained")

    def test_money_that_is_held_and_that_no_pop_may_spend_is_found(self):
        for held, headroom in ((7, 6), (6, 7), (7, None)):
            def plant(found, held=held, headroom=headroom):
                found.held_nano, found.headroom_nano = held, headroom
            self.assert_found_by(plant, "the centre holds what")

    def test_a_gap_in_a_stream_is_found(self):
        def plant(found):
            found.problems.append("op-1 at pop1: gap")
        self.assert_found_by(plant, "no client saw a gap")

    def test_a_run_without_load_is_found(self):
        def plant(found):
            found.operations.clear()
        self.assert_found_by(plant, "there was load")

    def test_a_lost_disk_excuses_only_what_was_not_charged_at_that_pop(self):
        found = clean()
        removed = found.rows[ACCOUNT].pop(0)
        found.balances[ACCOUNT]["balance_nano"] += removed["amount_nano"]
        found.excused.add("pop2")
        self.assertNotEqual(broken(found), [])
        found.excused.add("pop1")
        self.assertEqual(broken(found), [])


class Events(unittest.TestCase):
    def test_a_missing_event_is_a_gap_and_so_is_one_that_comes_twice(self):
        for stream in (b"id: evt_00001\ndata: a\n\nid: evt_00003\ndata: b\n\n", b"id: evt_00001\ndata: a\n\n" * 2):
            with self.assertRaises(Broken):
                EventReader(0).feed(stream)

    def test_pieces_that_end_anywhere_make_the_same_events(self):
        stream = b"id: evt_00004\ndata: a\n\n: heartbeat\n\nid: evt_00005\ndata: [DONE]\n\n"
        for cut in range(len(stream)):
            reader = EventReader(3)
            reader.feed(stream[:cut])
            reader.feed(stream[cut:])
            self.assertEqual((reader.last, len(reader.events), reader.finished), (5, 2, True))


class Drawing(unittest.TestCase):
    def test_an_axis_ends_at_a_round_number_that_holds_everything(self):
        for value, top in ((0, 1), (0.7, 1), (1, 1), (13, 20), (99, 100), (2300, 2500)):
            self.assertEqual(chart.nice(value), top)

    def test_what_a_program_says_cannot_become_markup(self):
        facts = {"uncommitted_changes": False, "date": "", "commit": "", "kernel": "", "cpu": "", "processors": 2, "command": "<b>"}
        scenario = {"name": "x", "title": "<script>", "row": "", "promise": "", "holds": False, "settings": {
            "pops": 1, "store": "rocksdb", "durability": "power", "seed": 1}, "verdicts": [], "checks": [["<i>", False, "<u>"]],
            "measures": [], "faults": [{"label": "<s>", "began": 1, "ended": 2}], "samples": [], "attempts": [[1, "pop1", "<q>", 0.1]],
            "outcomes": {}, "pops": [["pop1", "tokyo"]], "duration": 3, "failure": "<pre>"}
        made = page.html_page(facts, [scenario])
        for forbidden in ("<b>", "<script>", "<i>", "<u>", "<s>", "<q>", "<pre><pre>"):
            self.assertNotIn(forbidden, made)

    def test_a_table_has_the_last_run_of_a_scenario_in_the_column_of_its_store(self):
        def told(store, holds, seconds):
            measures = [{"label": f"from the heal until all that pop{n} had recorded is applied", "seconds": seconds * n, "bound": None}
                        for n in (1, 2)]
            return {"about": facts, "scenarios": [{
                "name": "x", "row": "a row", "holds": holds, "settings": {"store": store}, "verdicts": [{"holds": holds}], "checks": [],
                "outcomes": {"acknowledged": 3, "refused": 1}, "measures": measures}]}
        facts = {"uncommitted_changes": False, "date": "", "commit": "", "kernel": "", "cpu": "", "processors": 2, "command": "c"}
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, one in enumerate((told("rocksdb", False, 9), told("rocksdb", True, 1), told("postgres", False, 4))):
                paths.append(os.path.join(folder, f"{number}.json"))
                with open(paths[-1], "w", encoding="utf-8") as file:
                    json.dump(one, file)
            table = report.markdown(paths)
        self.assertTrue(table.endswith(
            "| a row | x | kept (1 of 1); 3 of 4 answered, 1 refused | **broken** (0 of 1); 3 of 4 answered, 1 refused | "
            "from the heal until all is applied: 2.0 s / from the heal until all is applied: 8.0 s |"), table)

    def test_a_time_over_its_bound_is_counted_as_a_broken_promise(self):
        run = {"holds": False, "verdicts": [{"holds": True}], "checks": [], "outcomes": {"acknowledged": 1}, "measures": [
            {"label": label, "seconds": 3.9, "bound": bound} for label, bound in (("a", 3.2), ("b", 8), ("c", None))]}
        self.assertEqual(report.cell(run), "**broken** (2 of 3); 1 of 1 answered")

    def test_every_pair_of_places_has_a_line(self):
        places = [*regions.POP_REGIONS, regions.CENTRE_REGION]
        for one in places:
            for other in places:
                self.assertGreater(regions.line(one, other)[0], 0)


if __name__ == "__main__":
    unittest.main()
