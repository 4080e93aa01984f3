"""Wall clocks jump by an hour, forwards and back. (Retention counts wall time: a clock that is a day behind makes what it stores a
day older, so a jump of the whole retention would end it early, by design.)"""
from lab.scenario import scenario


@scenario("A POP's wall clock jumps an hour ahead, then an hour back",
          row="clock step / drift on any node",
          promise="nothing: no decision compares wall clocks, and leases run on the monotonic clock",
          stores=("rocksdb", "postgres", "standalone"), own_clocks=True)
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=6)
    lab.run_for(4)
    for offset, label in ((3600, "an hour ahead"), (-3600, "an hour back")):
        with lab.fault(f"{victim.name}: wall clock {label}"):
            victim.edge.set_clock(offset)
            jumped = lab.now()
            lab.run_for(5)
            errors = [attempt.result for _, attempt in list(lab.history.attempts)
                      if attempt.began >= jumped and attempt.result != "200"]
            lab.check(f"no client notices: {label}", not errors and lab.answered_at(victim, jumped + 1), errors[:5])
            victim.edge.set_clock(0)
            lab.run_for(2)
    if lab.centres:
        with lab.fault("the centre's wall clock an hour ahead"):
            for one in lab.centres:
                one.service.set_clock(3600)
            jumped = lab.now()
            lab.run_for(5)
            errors = [attempt.result for _, attempt in list(lab.history.attempts)
                      if attempt.began >= jumped and attempt.result != "200"]
            lab.check("no client notices the centre's clock", not errors, errors[:5])
            for one in lab.centres:
                one.service.set_clock(0)
    lab.run_for(2)
