"""nodex-lab: hosts, cables, programs, traffic, evidence and verdicts. Scenarios are in ../scenarios."""
