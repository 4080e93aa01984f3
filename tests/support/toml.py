"""Writes the node's configuration: nested dictionaries to TOML."""


def value(item):
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, (int, float)):
        return str(item)
    if isinstance(item, str):
        return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(item, (list, tuple)):
        return "[" + ", ".join(value(part) for part in item) + "]"
    if isinstance(item, dict):
        return "{ " + ", ".join(f"{value(name)} = {value(part)}" for name, part in item.items()) + " }"
    raise TypeError(f"no TOML for {item!r}")


def text(config):
    """Top-level members are tables; a list of dictionaries is an array of tables."""
    lines = []
    for name, section in config.items():
        for table, head in ((section, f"[{name}]"),) if isinstance(section, dict) else (
                (part, f"[[{name}]]") for part in section):
            lines.append(head)
            lines += [f"{key} = {value(item)}" for key, item in table.items()]
            lines.append("")
    return "\n".join(lines)
