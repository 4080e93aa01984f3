"""Bills from stacks made by hand."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import stages  # pylint: disable=wrong-import-position

SCRIPT = """nodex-loop-0  101
\t           1000 [unknown] (/usr/lib/libcrypto.so.0)
\t           2000 nodex::crypto::hash_api_key (/x/nodex-edge)
\t           3000 nodex::http::RequestParser::feed (/x/nodex-edge)

nodex-loop-0  101
\t           1000 [unknown] (/usr/lib/libcrypto.so.0)
\t           2000 nodex::tls::Session::feed+0x12 (/x/nodex-edge)

nodex-commit  102
\tffffffff81000000 finish_task_switch.isra.0 ([kernel.kallsyms])
\tffffffff81000001 __schedule ([kernel.kallsyms])
\tffffffff81000002 do_syscall_64 ([kernel.kallsyms])
\t           4000 rocksdb::DBImpl::Write (/usr/lib/librocksdb.so.7)

nodex-loop-0  101
\tffffffff81000000 __schedule ([kernel.kallsyms])
\tffffffff81000001 asm_exc_page_fault ([kernel.kallsyms])

python3  7
\t           1000 malloc (/usr/lib/libc.so.6)
"""


class Stages(unittest.TestCase):
    def test_a_library_belongs_to_who_called_it(self):
        counts = stages.bill(SCRIPT)
        self.assertEqual(counts["loop", "hashing, sealing"], 1)
        self.assertEqual(counts["loop", "TLS"], 1)

    def test_a_sample_in_the_kernel_is_not_its_callers(self):
        self.assertEqual(stages.bill(SCRIPT)["commit thread", "sleep, wake, change of thread"], 1)

    def test_rows_are_tried_in_order(self):
        self.assertEqual(stages.bill(SCRIPT)["loop", "page faults"], 1)

    def test_every_sample_is_in_the_bill(self):
        counts = stages.bill(SCRIPT)
        self.assertEqual(sum(counts.values()), 5)
        self.assertEqual(counts["other threads", "memory, copying"], 1)


if __name__ == "__main__":
    unittest.main()
