"""Shell completion: the verbs, their options, and what options choose from, as the parsers have them."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

SHELLS = ("bash", "zsh", "fish")

BASH = """_m4alloc() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} verb= words= i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${{COMP_WORDS[i]}} == -- ]] && return
        [[ -z $verb && ${{COMP_WORDS[i]}} != -* ]] && verb=${{COMP_WORDS[i]}}
    done
    case "$verb $before" in
{choices}
    *)
        case "$verb $word" in
        " "*) words={verbs} ;;
{options}
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _m4alloc m4alloc"""
"""Where it offers nothing the shell offers the names of files."""


def asked(words: Sequence[str]) -> str | None:
    """The shell that `--completion SHELL` names before any verb; None: that is not asked, or not so.

    >>> asked(["--completion", "zsh"]), asked(["--completion=fish"]), asked(["--completion", "sh"]), asked(["lib"])
    ('zsh', 'fish', None, None)
    """
    named = words[0].partition("=")[2] if words and words[0].startswith("--completion=") else ""
    named = words[1] if list(words[:1]) == ["--completion"] and len(words) == 2 else named
    return named if named in SHELLS else None


def script(shell: str) -> str:
    """What the shell has to read. Cost: every verb's module is loaded, half a second.

    >>> script("bash").splitlines()[-1]
    'complete -o default -F _m4alloc m4alloc'
    """
    from m4alloc.cli.main import parsers, verbs

    each = parsers(verbs())[1]
    return _fish(each) if shell == "fish" else _bash(each, zsh=shell == "zsh")


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.option_strings]


def _commands(parser: argparse.ArgumentParser) -> list[str]:
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [name for action in found for name in action.choices]


def _bash(each: dict[str, argparse.ArgumentParser], *, zsh: bool) -> str:
    choices, options = [], []
    for verb, parser in each.items():
        named = " ".join(name for action in _options(parser) for name in action.option_strings)
        options.append(f"        {shlex.quote(f'{verb} -')}*) words={shlex.quote(named)} ;;")
        if commands := " ".join(_commands(parser)):
            options.append(f"        {shlex.quote(f'{verb} ')}*) words={shlex.quote(commands)} ;;")
        for action in _options(parser):
            if action.choices:
                before = "|".join(shlex.quote(f"{verb} {name}") for name in action.option_strings)
                choices.append(f"    {before}) words={shlex.quote(' '.join(map(str, action.choices)))} ;;")
    options.append(f"        'help '*) words={shlex.quote(' '.join(each))} ;;")
    verbs = shlex.quote(" ".join(["help", *each, "--help", "--version", "--debug"]))
    told = BASH.format(choices="\n".join(choices), options="\n".join(options), verbs=verbs)
    return f"autoload -U +X bashcompinit && bashcompinit\n{told}" if zsh else told


def _fish(each: dict[str, argparse.ArgumentParser]) -> str:
    lines = []
    for verb, parser in each.items():
        claim = (parser.description or "").partition("\n")[0]
        lines.append(f"complete -c m4alloc -n __fish_use_subcommand -a {shlex.quote(verb)} -d {shlex.quote(claim)}")
        seen = f"-n {shlex.quote(f'__fish_seen_subcommand_from {verb}')}"
        if commands := _commands(parser):
            lines.append(f"complete -c m4alloc {seen} -a {shlex.quote(' '.join(commands))}")
        for action in _options(parser):
            names = [f"-{'l' if name[:2] == '--' else 's'} {name.lstrip('-')}" for name in action.option_strings]
            takes = f"-x -a {shlex.quote(' '.join(map(str, action.choices)))}" if action.choices else "-r"
            told = "" if action.nargs == 0 else takes
            lines.append(" ".join(filter(None, ["complete -c m4alloc", seen, *names, told])))
    return "\n".join(lines)
