"""Train what reads labels off videos, the classifier of the Inception Score and the judge of disentanglement.

For example python metrics.py train-classifier faces, and python metrics.py train-judge faces.
"""

import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

import data
from data import UserError
from metrics import about, count_clips, cut_clips, draw_clips, keep, motion_label, predict, reader_path, table


def hold_out(videos):
    """Two sets of videos, an eighth of them the second: of other people, where a label says who is who."""
    who = next((videos.labels[key] for key in ("subject", "person") if key in videos.labels), np.arange(len(videos)))
    people = np.unique(who)
    if len(people) < 2:
        raise UserError(f"{videos.name}: one person or video to train on, and none to decide when to stop")
    second = np.isin(who, people[min(3, len(people) - 1) :: 8])
    return videos.subset(~second), videos.subset(second)


def train_reader(
    kind, dataset, labels, path, frames, stride, size=64, iters=3000, seed=0, device="cpu", root="data", everyone=False
):
    """Train a Classifier or a Judge (`kind`) on the train split of a data set; write it to `path`, and .json beside it.

    An eighth of the training people decides when to stop: after five looks, one every 100 iterations, without a better
    accuracy, the mean over the labels (not the loss: some factors cannot be read off people one has not seen, and their
    loss only rises). The test split, of yet other people, says how good it is: accuracy and confusion by label, and the
    accuracy of always giving the commonest answer (majority). Labels with a test value that training lacks are left
    out: who it is cannot be learned, for one. Returns what the .json holds.
    everyone: it sees all videos, also those that test it, and trains to the end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)  # what cannot be written is said before the training
    torch.manual_seed(seed)
    rng, span = np.random.default_rng(seed), (frames - 1) * stride + 1
    splits = ("all", "all") if everyone else ("train", "test")
    train, test = (data.load(dataset, root, size, split) for split in splits)
    seen, train, test = train.fingerprint(), train.at_least(span), test.at_least(span)
    train, check = (train, train) if everyone else hold_out(train)
    known = {label: names for label, names in train.classes.items() if len(set(train.labels[label])) > 1}
    known = {label: names for label, names in known.items() if set(test.labels[label]) <= set(train.labels[label])}
    if not set(labels or known) & set(known):
        raise UserError(f"{dataset} has no label {labels or ''} to learn; there are {', '.join(known) or 'none'}")
    classes = {label: list(known[label]) for label in labels or known}
    net = kind({label: len(names) for label, names in classes.items()}).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def truth(videos, index):
        return {label: torch.as_tensor(videos.labels[label][index]) for label in classes}

    checked, index = draw_clips(check, min(512, count_clips(check, frames, stride)), frames, stride, seed)
    checked_truth, best = truth(check, index), -1
    bar = tqdm(range(1, iters + 1), "training", unit="it", disable=None)
    for iteration in bar:
        index = rng.integers(len(train), size=32)
        logits = net.train()(data.to_float(cut_clips(train, index, frames, stride, rng).to(device)))
        loss = sum(F.cross_entropy(logits[label], y.to(device)) for label, y in truth(train, index).items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if iteration % 100 == 0 or iteration == iters:
            p = predict(net, checked)
            right = np.mean([(p[label].argmax(1) == y).double().mean() for label, y in checked_truth.items()])
            bar.set_postfix(held_out_accuracy=f"{right:.3f}")
            if right > best or everyone:
                best, best_iteration, state = right, iteration, copy.deepcopy(net.state_dict())
            if iteration - best_iteration >= 500:  # five looks
                break

    net.load_state_dict(state)
    clips, index = draw_clips(test, min(2048, count_clips(test, frames, stride)), frames, stride, seed)
    p, confusion = predict(net, clips), {}
    for label, y in truth(test, index).items():
        k = len(classes[label])
        confusion[label] = torch.bincount(y * k + p[label].argmax(1), minlength=k * k).reshape(k, k)
    result = {
        "model": kind.__name__.lower(),
        "data": dataset,
        "split": splits[0],
        "trained_on": seen,
        "classes": classes,
        "accuracy": {label: float(c.diagonal().sum() / c.sum()) for label, c in confusion.items()},
        "majority": {label: float(c.sum(1).max() / c.sum()) for label, c in confusion.items()},
        "confusion": {label: c.tolist() for label, c in confusion.items()},  # rows: truth, columns: answers
        "test_videos": len(test),
        "test_clips": len(clips),
        **about(iteration=best_iteration, frames=frames, stride=stride, size=size, seed=seed),
    }
    data.save_state(path, result | {"state": state})
    return keep(path.with_name(path.name.removesuffix(".pt") + ".json"), result)


def reader_table(r):
    rows = [{"label": key, "accuracy": r["accuracy"][key], "majority": r["majority"][key]} for key in r["classes"]]
    videos = "videos that it has seen" if r["split"] == "all" else "test videos"
    return table(f"{r['model']} of {r['data']}, on {r['test_clips']} clips of {r['test_videos']} {videos}", rows)


def train(kind, dataset, size, root, out, label=None, everyone=False, frames=1, stride=1, **common):
    """The commands train-classifier and train-judge; see `train_reader`."""
    if kind.__name__ == "Classifier":
        label = label or motion_label(data.load(dataset, root, size))
    labels = [label] if label else []
    words = [kind.__name__.lower(), dataset, size, *labels, *["everyone"] * everyone]
    path = Path(out or reader_path(root, *words))
    return train_reader(kind, dataset, labels, path, frames, stride, size, root=root, everyone=everyone, **common)
