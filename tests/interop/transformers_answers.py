#!/usr/bin/env python3
"""What transformers makes of a folder that we wrote, for tests/interop/round_trip.sh.

    transformers_answers.py MODEL <lines >lines

A line with prompt_token_ids and token_ids gets hf_greedy, as many tokens of generate() without sampling, and
hf_logprobs, those of token_ids, in float32.  A line with messages gets hf_ids and hf_text: the chat template
of the folder's tokenizer.
"""
import json
import sys

import torch
import transformers

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.set_num_threads(2)
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32,
                                                          attn_implementation="eager").eval()
model.generation_config.eos_token_id = None
tokenizer = None

for line in sys.stdin:
    r = json.loads(line)
    if "token_ids" in r:
        prompt, ids = r["prompt_token_ids"], r["token_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + ids[:-1]])).logits[0, len(prompt) - 1:].float()
            out = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=len(ids),
                                 use_cache=True)[0, len(prompt):]
        rows = torch.log_softmax(logits.double(), -1).gather(-1, torch.tensor(ids)[:, None])
        r["hf_logprobs"], r["hf_greedy"] = rows[:, 0].tolist(), out.tolist()
    if "messages" in r and "tokens" in r:
        tokenizer = tokenizer or transformers.AutoTokenizer.from_pretrained(sys.argv[1])
        r["hf_ids"] = tokenizer.apply_chat_template(r["messages"], return_dict=False)
        r["hf_text"] = tokenizer.apply_chat_template(r["messages"], tokenize=False)
    print(json.dumps(r))
