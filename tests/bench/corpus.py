#!/usr/bin/env python3
"""The corpus programs beside their peers, on one core, in turn; medians of CPU time and peak memory.

    python3 tests/bench/corpus.py BIN TEXT EVALS [rounds [work]]

`work` takes the races whose name holds it.

BIN is the folder of our programs, TEXT a file of JSON lines with `text`, EVALS one with `question`.
Run it with a Python that has datasketch, datatrove, dolma (pip install --no-deps), numpy, orjson and xxhash; a peer that is not
there is left out, and said so.  Each peer gets words from one regular expression, which is
faster than the tokenizers that datatrove brings.
"""
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

WORD = re.compile(r"\w+")


def texts(path):
    import orjson
    with open(path, "rb") as f:
        for line in f:
            yield orjson.loads(line)


class Words:
    """datatrove's interface of a tokenizer."""

    def word_tokenize(self, text):
        return WORD.findall(text)


def quiet_datatrove():
    from loguru import logger
    logger.remove()
    from datatrove.pipeline.dedup import minhash
    minhash.load_word_tokenizer = lambda language: Words()


def peer_datasketch(text, evals, folder):
    import numpy as np
    import xxhash
    from datasketch import MinHash, MinHashLSH
    lsh = MinHashLSH(params=(32, 4), num_perm=128)
    hashes = {}
    kept = 0
    for i, doc in enumerate(texts(text)):
        words = WORD.findall(doc["text"].lower())
        grams = {" ".join(words[j:j + 5]).encode() for j in range(max(1, len(words) - 4))}
        m = MinHash(num_perm=128, hashfunc=xxhash.xxh32_intdigest)
        m.update_batch(list(grams))
        if any(hashes[k].jaccard(m) >= 0.5 for k in lsh.query(m)):
            continue
        hashes[i] = m
        lsh.insert(i, m)
        kept += 1
    return f"kept={kept}"


def peer_datatrove_dedup(text, evals, folder):
    quiet_datatrove()
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup.minhash import (MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster,
                                                  MinhashDedupFilter, MinhashDedupSignature)
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    config = MinhashConfig(n_grams=5, num_buckets=32, hashes_per_bucket=4)
    reader = lambda: JsonlReader(os.path.dirname(text), glob_pattern=os.path.basename(text))
    at = lambda name: os.path.join(folder, name)
    run = lambda steps, tasks, name: LocalPipelineExecutor(
        pipeline=steps, tasks=tasks, workers=1, logging_dir=at("log-" + name)).run()
    run([reader(), MinhashDedupSignature(at("sig"), config=config)], 1, "sig")
    run([MinhashDedupBuckets(at("sig"), at("buckets"), config=config)], 32, "buckets")
    run([MinhashDedupCluster(at("buckets"), at("remove"), config=config)], 1, "cluster")
    run([reader(), MinhashDedupFilter(at("remove")), JsonlWriter(at("out"), compression=None)], 1, "filter")
    out = [os.path.join(at("out"), f) for f in os.listdir(at("out"))]
    return f"kept={sum(sum(1 for _ in open(f)) for f in out)}"


def peer_datatrove_decont(text, evals, folder):
    quiet_datatrove()
    import datatrove.pipeline.decont.n_grams as d
    from datatrove.data import Document
    d.load_word_tokenizer = lambda language: Words()
    f = d.NGramsDecontFilter(folder, config=d.NGramsDecontConfig(n_grams=8))
    f._index_hashes = {}
    for item in texts(evals):
        words = f.tokenizer.word_tokenize(d.simplify_text(item["question"], f.config.norm_config))
        for gram in d.ngrams(words, 8):
            f._index_hashes[f.hash_func(" ".join(gram))] = "evals"
    kept = 0
    with open(os.path.join(folder, "out.jsonl"), "w") as out:
        for doc in texts(text):
            if f.filter(Document(text=doc["text"], id=doc["id"])) is True:
                out.write(json.dumps(doc) + "\n")
                kept += 1
    return f"kept={kept}"


def dolma_deduper():
    """The Rust part alone: what dolma needs beside it is for its taggers."""
    import glob
    import importlib.util
    import site
    for at in site.getsitepackages():
        for path in glob.glob(os.path.join(at, "dolma", "dolma.*.so")):
            spec = importlib.util.spec_from_file_location("dolma", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return lambda config: module.deduper_entrypoint(json.dumps(config))
    raise RuntimeError("no dolma")


def dolma_run(deduper, folder, text, dedupe, read_only=False):
    os.makedirs(os.path.join(folder, "documents"), exist_ok=True)
    name = os.path.join(folder, "documents", os.path.basename(text))
    os.symlink(os.path.abspath(text), name)
    deduper({"documents": [name], "dedupe": {"name": "d", "skip_empty": True, **dedupe},
             "bloom_filter": {"file": os.path.join(folder, "bloom.bin"), "size_in_bytes": 0, "read_only": read_only,
                              "estimated_doc_count": 2000000, "desired_false_positive_rate": 1e-6},
             "work_dir": {"input": os.path.join(folder, "in"), "output": os.path.join(folder, "out")},
             "compression": {"input": None, "output": None}, "processes": 1, "is_s3_volume": False})
    return name.replace("/documents/", "/attributes/d/")


def peer_dolma_exact(text, evals, folder):
    out = dolma_run(dolma_deduper(), folder, text, {"documents": {"attribute_name": "dup", "key": "$.text"}})
    return f"kept={sum(1 for line in open(out) if not json.loads(line)['attributes'].get('dup'))}"


def peer_dolma_decont(text, evals, folder):
    deduper = dolma_deduper()
    questions = os.path.join(folder, "questions.jsonl")
    with open(questions, "w") as f:
        for i, item in enumerate(texts(evals)):
            f.write(json.dumps({"id": str(i), "text": item["question"]}) + "\n")
    grams = {"paragraphs": {"attribute_name": "dup", "by_ngram": {
        "ngram_length": 8, "stride": 0, "overlap_threshold": 0.5, "skip_short_paragraphs": True}}}
    dolma_run(deduper, folder, questions, grams)
    out = dolma_run(deduper, folder, text, grams, read_only=True)
    return f"kept={sum(1 for line in open(out) if not any(s[2] for s in json.loads(line)['attributes'].get('dup', [])))}"


PEERS = {"dolma, Bloom filter": peer_dolma_exact, "dolma, 8-grams": peer_dolma_decont, "datasketch": peer_datasketch, "datatrove minhash": peer_datatrove_dedup,
         "datatrove decont": peer_datatrove_decont}


def measure(command, **kw):
    """Seconds of CPU time and MiB at the peak, of a process."""
    p = subprocess.Popen(command, stderr=subprocess.PIPE, **kw)
    err = p.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    seconds = usage.ru_utime + usage.ru_stime
    if p.returncode != 0:
        raise RuntimeError(err[-300:])
    return seconds, usage.ru_maxrss / 1024, err.strip().splitlines()[-1] if err.strip() else ""


def main():
    if sys.argv[1] == "--peer":
        print(PEERS[sys.argv[2]](*sys.argv[3:6]), file=sys.stderr)
        return
    bin_dir, text, evals = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    mb = sum(len(d["text"].encode()) for d in texts(text)) / 1e6
    ours = lambda program, *options: [os.path.join(bin_dir, program), "--threads", "1", *options, text]
    races = [
        ("near duplicates", ours("corpus-dedup"), ["datasketch", "datatrove minhash"]),
        ("exact duplicates", ours("corpus-dedup", "--bands", "0"), ["dolma, Bloom filter"]),
        ("8-grams of evaluation items", ours("corpus-decontam", "--rule", "ngram", "--against", evals),
         ["datatrove decont", "dolma, 8-grams"]),
        ("rarity and alignment", ours("corpus-decontam", "--against", evals), []),
        ("five rules of Olmo 3", ours("corpus-filter", "--rule", "olmo3"), []),
    ]
    if len(sys.argv) > 5:
        races = [r for r in races if sys.argv[5] in r[0]]
    print(f"{mb:.1f} MB of text, {rounds} rounds, one core, speed by CPU time\n")
    print("| work | program | MB/s | MiB | ratio of speed |\n|---|---|---|---|---|")
    for work, command, peers in races:
        results = {}
        for _ in range(rounds):
            with open(os.path.join(tempfile.gettempdir(), "bench-out.jsonl"), "w") as out:
                results.setdefault(command[0].rsplit("/", 1)[-1], []).append(measure(command, stdout=out))
            for peer in list(peers):
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        r = measure([sys.executable, __file__, "--peer", peer, text, evals, folder],
                                    stdout=subprocess.DEVNULL)
                        results.setdefault(peer, []).append(r)
                    except RuntimeError as e:
                        print(f"| {work} | {peer} | left out: {str(e).splitlines()[-1]} | | |")
                        peers.remove(peer)
        mine = None
        for name, r in results.items():
            speed = mb / statistics.median(x[0] for x in r)
            mine = mine or speed
            print(f"| {work} | {name} | {speed:.1f} | {statistics.median(x[1] for x in r):.0f} | "
                  f"{mine / speed:.1f} |")
        print(*(f"<!-- {name}: {r[-1][2]} -->" for name, r in results.items()), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
