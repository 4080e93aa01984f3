"""Where the programs under test are built; set once by the runner."""
DIRECTORY = ""
