"""The files of the repository, for the checks: what is built or generated is left out."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEFT_OUT = {".git", ".quickstart", "node_modules", "__pycache__"}


def files(*suffixes):
    """Paths relative to the root, with '/', sorted; all files when no suffix is given."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        at_root = folder == ROOT
        built = {name for name in folders if at_root and name.startswith("build")}
        folders[:] = sorted(set(folders) - LEFT_OUT - built)
        for name in names:
            if not suffixes or name.endswith(suffixes):
                found.append(os.path.relpath(os.path.join(folder, name), ROOT).replace(os.sep, "/"))
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def report(problems, checked, what):
    """Prints the problems, one a line as path:line: text; returns the exit status."""
    for problem in problems:
        print(problem)
    print(f"{checked} {what} checked, {len(problems)} problems")
    return 1 if problems else 0
