#!/usr/bin/env python3
"""Renders chat templates with Hugging Face transformers, for test_jinja.

  python3 tests/golden/make_jinja_golden.py             makes tests/golden/jinja/expected.jsonl
      from the templates there (*.jinja, ours) and the expressions below
  python3 tests/golden/make_jinja_golden.py --corpus DIR FOLDER...
      makes DIR/chat-templates/: the *.jinja files of the folders (public ones: the wheels of trl
      and axolotl hold those of more than a hundred checkpoints) as templates/, and expected.jsonl.
      With THINKPIPE_DATA=DIR, test_jinja compares them all.

A row of expected.jsonl has `template` (a file) or `text`; the numbers of its `conversation` and
`variant` in inputs.json; then `rendered`, or `refused`; and `spans`, what {% generation %} marks,
in characters. The clock stands at 2024-07-26 12:00 UTC. Needs transformers and jinja2.
"""
import datetime
import glob
import json
import os
import sys
import time

import jinja2
import transformers
import transformers.utils.chat_template_utils as renderer

OUT = "tests/golden/jinja"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
NOW = datetime.datetime(2024, 7, 26, 12, 0)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def turn(role, content, **more):
    return dict({"role": role, "content": content}, **more)


def call(name, arguments, **more):
    return dict({"type": "function", "function": {"name": name, "arguments": arguments}}, **more)


USER, SYSTEM = turn("user", "What is 3*7?"), turn("system", "Be brief.")
WEATHER = call("weather", {"city": "Rom", "days": 2, "exact": True}, id="abcdef123")
CONVERSATIONS = [
    [USER],
    [SYSTEM, USER],
    [USER, turn("assistant", "21")],
    [SYSTEM, USER, turn("assistant", "21"), turn("user", "Sure?"), turn("assistant", "Yes.")],
    [USER, turn("assistant", "21", reasoning_content="7, 14, 21")],
    [USER, turn("assistant", "<think>\n7, 14, 21\n</think>\n\n21"), turn("user", "Sure?")],
    [turn("user", "  a\n\nb  \n"), turn("assistant", "\n  the answer \n"), turn("user", "\tc")],
    [turn("user", "\u00e9 \U0001f600 \u5b57 \"q\" 'a' <|im_end|> </s> {{ x }} {% y %}"),
     turn("assistant", "\u00fc<tag>&amp;\\n\u2028")],
    [turn("user", [{"type": "text", "text": "the "}, {"type": "text", "text": "answer"}]),
     turn("assistant", [{"type": "text", "text": "13"}])],
    [turn("user", "Weather?"), turn("assistant", "", tool_calls=[WEATHER]),
     turn("tool", "{\"sky\": \"blue\"}", name="weather", tool_call_id="abcdef123"),
     turn("assistant", "Blue.")],
    [SYSTEM, turn("user", "Weather?"),
     turn("assistant", None, tool_calls=[WEATHER, call("time", {}, id="123456789")]),
     turn("tool", "blue", name="weather", tool_call_id="abcdef123"),
     turn("tool", "12:00", name="time", tool_call_id="123456789"), turn("user", "Thanks")],
    [turn("user", "Weather?"),
     turn("assistant", "Let me see.", reasoning_content="ask", tool_calls=[WEATHER]),
     turn("tool", {"sky": ["blue", 1.5, None]}, name="weather", tool_call_id="abcdef123")],
    [turn("developer", "Be kind."), USER, turn("assistant", "21"), turn("user", "?")],
    [turn("assistant", "I begin."), USER],
    [USER, turn("user", "Twice?")],
    [],
]
TOOLS = [
    {"type": "function", "function": {
        "name": "weather", "description": "The weather \u00fcber <there> & 'here'.",
        "parameters": {"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "description": "Where", "enum": ["Rom", "K\u00f6ln"]},
            "days": {"type": "integer", "default": 1},
            "exact": {"type": "boolean"},
            "at": {"type": "array", "items": {"type": "number"}},
            "more": {"type": "object", "properties": {"x": {"type": ["string", "null"]}}}}}}},
    {"type": "function", "function": {"name": "time", "description": "The time.",
                                      "parameters": {"type": "object", "properties": {}}}},
]
DOCUMENTS = [{"title": "Sky", "text": "The sky is blue."}, {"title": "Sea", "text": "So\nis it."}]
VARIANTS = [
    {},
    {"add_generation_prompt": True},
    {"add_generation_prompt": True, "tools": TOOLS},
    {"add_generation_prompt": True, "documents": DOCUMENTS,
     "variables": {"enable_thinking": False, "thinking": False, "date_string": "1 May 2025",
                   "reasoning_effort": "high", "custom": [1, 2.5, None, {"a": "b"}]}},
]
# One behaviour of the language each, seen by every conversation's rendering or refusal.
with open(os.path.join(OUT, "expressions.txt")) as f:
    EXPRESSIONS = [line.rstrip("\n") for line in f if line.strip() and not line.startswith("## ")]


def render(text, messages, how):
    """(rendered, spans), or None if the template or the renderer refuses."""
    try:
        out, spans = renderer.render_jinja_template(
            [messages], chat_template=text, tools=how.get("tools"),
            documents=how.get("documents"), return_assistant_tokens_mask=True,
            add_generation_prompt=how.get("add_generation_prompt", False),
            **dict(TOKENS, **how.get("variables", {})))
    except (jinja2.TemplateError, TypeError, ValueError, AttributeError, KeyError, IndexError,
            ZeroDivisionError, OverflowError, SyntaxError):
        return None
    return out[0], [list(s) for s in spans[0]]


def row(where, text, number, variant):
    out = dict(where, conversation=number, variant=variant)
    got = render(text, CONVERSATIONS[number], VARIANTS[variant])
    if got is None:
        return dict(out, refused=True)
    out["rendered"] = got[0]
    return dict(out, spans=got[1]) if got[1] else out


def rows_of(name, text):
    return [row({"template": name}, text, n, v)
            for n in range(len(CONVERSATIONS)) for v in range(len(VARIANTS))]


def write(folder, rows):
    with open(os.path.join(folder, "inputs.json"), "w") as f:
        json.dump({"conversations": CONVERSATIONS, "variants": VARIANTS}, f, indent=1)
        f.write("\n")
    with open(os.path.join(folder, "expected.jsonl"), "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    refused = sum("refused" in r for r in rows)
    print(folder, "transformers", transformers.__version__, "jinja2", jinja2.__version__,
          len(rows), "rows,", refused, "of them refused")


def ours():
    rows = []
    for path in sorted(glob.glob(os.path.join(OUT, "*.jinja"))):
        with open(path) as f:
            rows += rows_of(os.path.basename(path), f.read())
    for text in EXPRESSIONS:
        if text.startswith("\\n"):
            text = text.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t")
        rows.append(row({"text": text}, text, 10, 2))
    write(OUT, rows)


def corpus(folder, sources):
    folder = os.path.join(folder, "chat-templates")
    os.makedirs(os.path.join(folder, "templates"), exist_ok=True)
    rows = []
    for source in sources:
        label = os.path.basename(os.path.normpath(source))
        for path in sorted(glob.glob(os.path.join(source, "**", "*.jinja"), recursive=True)):
            name = label + "-" + os.path.basename(path)
            with open(path) as f:
                text = f.read()
            with open(os.path.join(folder, "templates", name), "w") as f:
                f.write(text)
            rows += rows_of("templates/" + name, text)
    write(folder, rows)


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    time.tzset()
    renderer.datetime = Clock
    if len(sys.argv) > 3 and sys.argv[1] == "--corpus":
        corpus(sys.argv[2], sys.argv[3:])
    elif len(sys.argv) == 1:
        ours()
    else:
        sys.exit(__doc__)
