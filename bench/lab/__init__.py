"""The swarm lab: hosts as network namespaces with shaped links, real nodes on them, and how long
they take to have a blob, over the least time that the links allow. docs/benchmarks.md says what is
measured; ../swarm.py is the command."""
