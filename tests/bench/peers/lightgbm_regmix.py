"""Processor seconds of LightGBM with RegMix's settings on RegMix's runs: lightgbm_regmix.py FOLDER [trees]."""

import json
import sys
import time

import lightgbm
import numpy

folder, trees = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000


def read(name):
    with open(f"{folder}/{name}.csv") as f:
        rows = [line.split(",")[1:] for line in f.read().splitlines()[1:] if line]
    return numpy.array(rows, dtype=float)


x, y = read("train_mixture_1m"), read("train_pile_loss_1m")
options = dict(objective="regression", num_leaves=31, learning_rate=10 / trees, min_data_in_leaf=20, verbosity=-1,
               num_threads=1, seed=42)


def fit(rows, k):
    return lightgbm.train(options, lightgbm.Dataset(x[rows], y[rows, k]), trees)


def median(f):
    seconds = []
    for _ in range(3):
        t = time.process_time()
        f()
        seconds.append(time.process_time() - t)
    return sorted(seconds)[1]


everything = numpy.arange(len(x))
model = fit(everything, 8)
many = numpy.random.default_rng(1).dirichlet(numpy.ones(x.shape[1]), 20000)
print(json.dumps({"step": f"{trees} trees, {y.shape[1]} targets",
                  "seconds": round(median(lambda: [fit(everything, k) for k in range(y.shape[1])]), 3)}))
print(json.dumps({"step": f"predict, {trees} trees",
                  "rows_per_second": round(len(many) / median(lambda: model.predict(many, num_threads=1)))}))
