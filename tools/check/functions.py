"""Finds the functions of a C++ file and how long they are. A scanner, not a parser: it follows braces and
looks at what stands before each, which is enough for this tree's style."""
import re

FUNCTION_LINES_MAX = 70

# Functions that were longer when the rule came in: they may shrink, not grow. Name: lines. Empty is the goal.
LONGER = {}

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'", re.DOTALL)
DIRECTIVE = re.compile(r"(?m)^\s*#(?:[^\n]*\\\n)*[^\n]*")
CONTAINER = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
NAME = re.compile(r"([~\w:]+(?:<[^()]*>)?(?:::~?\w+)?|operator\s*\S+)\s*\(")


def code_only(text):
    """`text` with comments, strings and preprocessor lines blanked; line numbers and columns stay."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'R":
            return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]
        return re.sub(r"[^\n]", " ", token)
    return TOKEN.sub(blank, text)


def functions(text):
    """Yields (name, first line, lines) of each function body outside other functions."""
    code = DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), code_only(text))
    statement = 0      # where the current statement starts
    stack = []         # (is function, name, first line) of the open braces
    inside = 0         # open function braces
    for position, character in enumerate(code):
        if character in ";{}":
            head = code[statement:position].strip()
            if character == "{":
                is_function = inside == 0 and is_body(head)
                first = code.count("\n", 0, statement + leading(code[statement:position])) + 1
                stack.append((is_function, name_of(head), first))
                inside += is_function
            elif character == "}" and stack:
                is_function, name, first = stack.pop()
                if is_function:
                    inside -= 1
                    yield name, first, code.count("\n", 0, position) + 2 - first
            statement = position + 1


def leading(text):
    return len(text) - len(text.lstrip())


def is_body(head):
    if "(" not in head or head.endswith(("=", ",", "(", "return")):
        return False
    return not CONTAINER.search(head.split("(", 1)[0])


def name_of(head):
    match = NAME.search(head)
    return match.group(1) if match else head[-40:]


def check_lengths(path, text):
    for name, first, lines in functions(text):
        allowed = max(FUNCTION_LINES_MAX, LONGER.get(f"{path}:{name}", 0))
        if lines > allowed:
            yield first, f"function {name} has {lines} lines (at most {allowed}): move leaves out"
