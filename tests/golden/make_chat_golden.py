#!/usr/bin/env python3
"""Makes tests/golden/chat/: a tokenizer that tok-train learnt, and how Hugging Face transformers
renders and encodes conversations with it, by each template that tok-train can write.

  templates.json   {name: Jinja text}, as tok-train wrote them
  expected.jsonl   template, messages, add_generation_prompt or continue_final_message, rendered, ids; or
                   text, ids

Needs transformers. Run from the repository root, after make:
  python3 tests/golden/make_chat_golden.py
With a folder of public data it makes tests/golden/chat/qwen3.jsonl instead: Qwen3's tokenizer and
template (DATA/tokenizers) on the conversations of make_jinja_golden.py; messages,
add_generation_prompt, tools, chat_template_kwargs, ids.
  python3 tests/golden/make_chat_golden.py DATA
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import transformers

OUT = "tests/golden/chat"
DOCUMENTS = ["The sum of the three numbers is thirteen, so the answer is 13.",
             "The answer to the question is the number of the letters in the answer."] * 4


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return dict({"role": "assistant", "content": content}, **more)


CONVERSATIONS = [
    [user("What is 3*7?")],
    [{"role": "system", "content": "Be brief."}, user("2+2?")],
    [user("2+2?"), assistant("4")],
    [user("One?"), assistant("1"), user("Two?"), assistant("2"), user("Three?")],
    [user("3*7?"), assistant("21", reasoning_content="The sum of three 7 is 21.")],
    [user("3*7?"), assistant("21", reasoning="7, 14, 21"), user("Sure?"),
     assistant("Yes.", thinking="is it?")],
    [user("3*7?"), assistant("<think>\n7, 14, 21\n</think>\n\n21")],
    [user("3*7?"), assistant("not <think> but </think> the answer")],
    [user("  a\n\nb  \n"), assistant("  the answer \n")],
    [user("\u00e9 \U0001f600 e\u0301 \u5b57"), assistant("\u00fc\u00fc")],
    [user([{"type": "text", "text": "the "}, {"type": "text", "text": "answer"}]),
     assistant("13")],
    [{"role": "developer", "content": "Be brief."}, user("2+2?"),
     {"role": "environment", "content": "x = 4"}, assistant("")],
    [user("?"), assistant(None, reasoning_content="only thoughts")],
]
TEXTS = ["The answer is 13.", "a<|im_end|>b<think>\n</think><|endoftext|>",
         "  two\n\n\nlines\t\u00e9\U0001f600 ", "don't 12345"]


def learn(template, folder):
    documents = "".join(json.dumps({"text": d}) + "\n" for d in DOCUMENTS)
    command = ["bin/tok-train", "-q", "--vocab-size", "300", "--template", template]
    subprocess.run(command + ["--out", folder], input=documents, text=True, check=True)
    return transformers.AutoTokenizer.from_pretrained(folder)


def rows(tokenizer, template):
    for messages in CONVERSATIONS:
        for prompt in (False, True):
            how = dict(add_generation_prompt=prompt, return_dict=False)
            yield dict(template=template, messages=messages, add_generation_prompt=prompt,
                       rendered=tokenizer.apply_chat_template(messages, tokenize=False, **how),
                       ids=tokenizer.apply_chat_template(messages, tokenize=True, **how))
        if messages[-1]["role"] == "assistant" and messages[-1]["content"]:
            how = dict(continue_final_message=True, return_dict=False)
            yield dict(template=template, messages=messages, continue_final_message=True,
                       rendered=tokenizer.apply_chat_template(messages, tokenize=False, **how),
                       ids=tokenizer.apply_chat_template(messages, tokenize=True, **how))


def qwen3(data):
    import make_jinja_golden as jinja
    source = os.path.join(data, "tokenizers")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tokenizer.json.zst", "tokenizer_config.json"):
            shutil.copy(os.path.join(source, "qwen3", name), folder)
        subprocess.run(["zstd", "-qd", os.path.join(folder, "tokenizer.json.zst")], check=True)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = []
    for messages in jinja.CONVERSATIONS[:-1]:
        if not all(isinstance(m["content"], str) for m in messages):
            continue  # its template takes strings
        for how in ({}, {"add_generation_prompt": True},
                    {"add_generation_prompt": True, "tools": jinja.TOOLS, "enable_thinking": False}):
            row = dict(messages=messages, ids=tokenizer.apply_chat_template(
                messages, return_dict=False, **how))
            if "enable_thinking" in how:
                row["chat_template_kwargs"] = {"enable_thinking": how["enable_thinking"]}
                row["tools"] = how["tools"]
            rows.append(dict(row, add_generation_prompt=how.get("add_generation_prompt", False)))
    with open(os.path.join(OUT, "qwen3.jsonl"), "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    print("transformers", transformers.__version__, len(rows), "rows")


def main():
    if len(sys.argv) > 1:
        qwen3(sys.argv[1])
        return
    os.makedirs(OUT, exist_ok=True)
    templates, out = {}, []
    with tempfile.TemporaryDirectory() as scratch:
        for template in ("chatml", "chatml-think", "plain"):
            folder = os.path.join(scratch, template)
            tokenizer = learn(template, folder)
            templates[template] = tokenizer.chat_template
            out += rows(tokenizer, template)
        out += [dict(text=t, ids=tokenizer(t).input_ids) for t in TEXTS]
        shutil.copyfile(os.path.join(folder, "tokenizer.json"), os.path.join(OUT, "tokenizer.json"))
    with open(os.path.join(OUT, "tokenizer_config.json"), "w") as f:
        f.write('{"eos_token": "<|endoftext|>", "pad_token": "<|pad|>"}\n')
    with open(os.path.join(OUT, "templates.json"), "w") as f:
        json.dump(templates, f, indent=1)
        f.write("\n")
    with open(os.path.join(OUT, "expected.jsonl"), "w") as f:
        f.writelines(json.dumps(row) + "\n" for row in out)
    print("transformers", transformers.__version__, len(out), "rows")


if __name__ == "__main__":
    main()
