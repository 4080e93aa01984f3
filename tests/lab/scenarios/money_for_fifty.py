"""One balance, three POPs, four times as many calls as it pays for."""
import threading

from lab.purse import INPUT_NANO, OUTPUT_NANO, WORDS_LEAST
from lab.scenario import scenario

CALLS, PAID, TOKENS = 120, 30, 10


@scenario("120 calls at three POPs at once on a balance that pays for about 30",
          row="lease exhausted",
          promise="never oversold: what was answered is paid, the rest is refused with a clear code, and nothing stays reserved", quick=True)
def run(lab):
    words = WORDS_LEAST + CALLS
    nano = PAID * (words * INPUT_NANO + TOKENS * OUTPUT_NANO)
    purse = lab.purses.open(balance=f"0.{nano:09}")
    lab.caller(0).call(lab.operation(purse, CALLS + 1, tokens=1))
    slots = threading.Semaphore(24)

    def buy(index):
        with slots:
            lab.caller(index % len(lab.pops), patience=25).call(lab.operation(purse, index, stream=index % 3 == 0, tokens=TOKENS),
                                                               attempts_max=8)
    with lab.fault("more calls than money"):
        lab.together(*(lambda index=index: buy(index) for index in range(1, CALLS + 1)))
    refused = {operation.last.result for operation in lab.history.of("refused", "unknown")}
    lab.check("what does not fit is refused as a matter of money", refused and all(
        result.split()[0] in ("402", "403", "429", "503") for result in refused), refused)
    answered = len(lab.history.of("acknowledged"))
    lab.check("the balance is used and not overrun", answered > PAID // 2, f"{answered} answered")
