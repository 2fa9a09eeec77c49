#!/usr/bin/env python3
"""Times the benchmark's workloads in PyTorch: through cuDNN and cuBLAS on an NVIDIA GPU, in float32, TF32 and float16.

A right answer first, as in measure.ts; then torch.utils.benchmark times one run with its result on the CPU (latency), and
many back to back (throughput). Needs torch 1.13 or newer.

    node bench.mjs --json out.json
    python3 torch_peer.py --workloads out.json --json torch.json
"""

import argparse
import json
import math
import sys
import time
from contextlib import nullcontext
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

try:
    import torch
    from torch.utils.benchmark import Timer
except ImportError:
    # Only a run needs it: arguments are read, and explained, without.
    torch = None

# As in check.ts.
CHECKED_RUNS = {'sequence': 1, 'stream': 8, 'training': 2, 'matmul': 1, 'embedding': 1}
STREAM_INPUTS = 16

Workload = Dict[str, Any]
Row = Dict[str, Any]


class Precision(NamedTuple):
    label: str
    dtype: str
    tf32: bool
    # Of the largest number expected, at least 1. TF32 and float16 have 10 bits after the first.
    tolerance: float


PRECISIONS = {
    'float32': Precision('float32', 'float32', False, 5e-4),
    'tf32': Precision('TF32', 'float32', True, 1e-2),
    'float16': Precision('float16', 'float16', False, 1e-2),
}


class Job(NamedTuple):
    """As in contestant.ts: `run` queues one run, `read` brings the result of the latest to the CPU."""

    run: Callable[[], None]
    read: Callable[[], Any]


def job_of(step: Callable[[], Any]) -> Job:
    latest: List[Any] = []

    def run() -> None:
        latest[:] = [step()]

    return Job(run, lambda: latest[0].cpu())


def recurrent(workload: Workload, input_size: int) -> Any:
    layer = {'lstm': torch.nn.LSTM, 'gru': torch.nn.GRU, 'rnn': torch.nn.RNN}[workload['cell']]
    options = {'num_layers': workload.get('numLayers', 1), 'bidirectional': workload.get('bidirectional', False)}
    return layer(input_size, workload['hiddenSize'], **options)


def uniform(*shape: int) -> Any:
    return 2 * torch.rand(*shape) - 1


def on_host(values: Any, device: Any) -> Any:
    """In pinned memory where a GPU reads it, so that a copy need not wait, as in an application."""
    return values.pin_memory() if device.type == 'cuda' else values


def sequence(workload: Workload, device: Any, dtype: Any) -> Job:
    net = recurrent(workload, workload['inputSize']).to(device, dtype).eval()
    x = uniform(workload['steps'], workload['batch'], workload['inputSize']).to(device, dtype)

    def step() -> Any:
        with torch.no_grad():
            return net(x)[0]

    return job_of(step)


def stream(workload: Workload, device: Any, dtype: Any) -> Job:
    net = recurrent(workload, workload['inputSize']).to(device, dtype).eval()
    inputs = on_host(uniform(STREAM_INPUTS, 1, 1, workload['inputSize']).to(dtype), device)
    state, count = None, 0

    def step() -> Any:
        nonlocal state, count
        with torch.no_grad():
            output, state = net(inputs[count % STREAM_INPUTS].to(device, non_blocking=True), state)
        count += 1
        return output

    return job_of(step)


def training(workload: Workload, device: Any, dtype: Any) -> Job:
    classes = workload['classes']
    # Mixed precision as PyTorch has it: weights stay float32.
    mixed, kept = dtype == torch.float16, torch.float32 if dtype == torch.float16 else dtype
    layer = recurrent(workload, classes).to(device, kept)
    linear = torch.nn.Linear(workload['hiddenSize'], classes).to(device, kept)
    characters = torch.randint(classes, (workload['steps'] + 1, workload['batch']))
    x = on_host(torch.nn.functional.one_hot(characters[:-1], classes).to(kept), device)
    labels = on_host(characters[1:].reshape(-1), device)
    fused = {'fused': True} if device.type == 'cuda' and not torch.__version__.startswith('1.') else {}
    parameters = [*layer.parameters(), *linear.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=workload['learningRate'], **fused)
    # Newer torch warns of the old place.
    scaling = torch.amp if hasattr(torch.amp, 'GradScaler') else torch.cuda.amp
    scaler = scaling.GradScaler(enabled=mixed)

    def step() -> Any:
        inputs, targets = x.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast('cuda', dtype=torch.float16) if mixed else nullcontext():
            logits = linear(layer(inputs)[0]).reshape(-1, classes)
            loss = torch.nn.functional.cross_entropy(logits, targets)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.detach()

    return job_of(step)


def matmul(workload: Workload, device: Any, dtype: Any) -> Job:
    a = uniform(workload['rows'], workload['inner']).to(device, dtype)
    b = uniform(workload['inner'], workload['columns']).to(device, dtype)
    return job_of(lambda: a @ b)


def embedding(workload: Workload, device: Any, dtype: Any) -> Job:
    """The backward pass alone: of a forward pass it needs the indices, and no more."""
    tokens = torch.randint(workload['rows'], (workload['count'],)).to(device)
    gradient = uniform(workload['count'], workload['columns']).to(device, dtype)
    options = {'num_weights': workload['rows'], 'padding_idx': -1, 'scale_grad_by_freq': False}
    return job_of(lambda: torch.ops.aten.embedding_dense_backward(gradient, tokens, **options))


KINDS = {'sequence': sequence, 'stream': stream, 'training': training, 'matmul': matmul, 'embedding': embedding}


def prepare(workload: Workload, seed: int, device: Any, dtype: str) -> Job:
    """A workload with the same numbers each time."""
    torch.manual_seed(seed)
    return KINDS[workload['kind']](workload, device, getattr(torch, dtype))


def answer_of(job: Job, kind: str) -> Any:
    """The results of the first runs, one behind the other."""
    results = []
    for _ in range(CHECKED_RUNS[kind]):
        job.run()
        results.append(job.read().double())
    return torch.stack(results)


def summary_of(statement: str, job: Job, settings: Dict[str, Any]) -> Dict[str, Any]:
    """Milliseconds of a statement, after a warm-up. The timer waits for the device before and after each of its blocks."""
    timer = Timer(statement, globals=job._asdict(), num_threads=torch.get_num_threads())
    times = [1e3 * one for one in timer.blocked_autorange(min_run_time=settings['budget'] / 1e3).times]
    median = sorted(times)[len(times) // 2]
    return {'median': median, 'low': min(times), 'high': max(times), 'samples': len(times)}


def measure(workload: Workload, precision: Precision, device: Any, settings: Dict[str, Any], expected: Any) -> Row:
    """@param expected: the answers of the checked runs, in float64"""
    name = f'PyTorch {"cuDNN" if device.type == "cuda" else "CPU"} {precision.label}'
    row = {'workload': workload['name'], 'contestant': name, 'library': 'PyTorch', 'backend': device.type}
    print(f'{workload["name"]}: {name}', file=sys.stderr, flush=True)
    if device.type == 'cpu' and precision.label != 'float32':
        return {**row, 'status': 'unsupported', 'note': 'on the CPU only float32 is timed'}
    if precision.tf32 and torch.cuda.get_device_capability(device) < (8, 0):
        return {**row, 'status': 'unsupported', 'note': 'this GPU has no TF32: it is from before Ampere'}
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision.tf32
    try:
        start = time.perf_counter()
        job = prepare(workload, settings['seed'], device, precision.dtype)
        job.run()
        job.read()
        first = 1e3 * (time.perf_counter() - start)
        checked = prepare(workload, settings['seed'], device, precision.dtype)
        difference = (answer_of(checked, workload['kind']) - expected).abs().max().item()
        error = difference / max(1, expected.abs().max().item())
        # Written so that NaN is wrong.
        if not error <= precision.tolerance:
            note = f'differs from float64 by {error:.2g} of its largest number; at most {precision.tolerance} is right'
            return {**row, 'status': 'wrong', 'note': note, **({'error': error} if math.isfinite(error) else {})}
        timing = {
            'first': first,
            'latency': summary_of('run(); read()', job, settings),
            'throughput': summary_of('run()', job, settings),
        }
    except RuntimeError as cause:
        # CUDA's errors, out of memory among them.
        return {**row, 'status': 'failed', 'note': (str(cause).splitlines() or [type(cause).__name__])[0]}
    return {**row, 'status': 'ok', 'error': error, 'timing': timing}


def print_row(row: Row) -> None:
    summaries = [row.get('timing', {}).get(name) for name in ('latency', 'throughput')]
    times = ['{median:.4g} ({low:.4g}–{high:.4g})'.format(**one) if one else '' for one in summaries]
    error = f'{row["error"]:.1e}' if 'error' in row else ''
    remark = '' if row['status'] == 'ok' else f'{row["status"]}: {row["note"]}'
    print('{:22}{:24}{:30}{:30}{:10}{}'.format(row['workload'], row['contestant'], *times, error, remark).rstrip())


def read_workloads(path: str, only: Optional[List[str]]) -> Tuple[Dict[str, Any], List[Workload]]:
    try:
        with open(path, encoding='utf8') as file:
            content = json.load(file)
        settings, workloads = content['settings'], content['workloads']
    except (OSError, ValueError, KeyError, TypeError) as cause:
        kind = 'a results file, as `node bench.mjs --json FILE` writes it'
        sys.exit(f'torch_peer: --workloads: expected {kind}, got {path}: {cause!r}')
    names = [workload['name'] for workload in workloads]
    unknown = [name for name in only or [] if name not in names]
    if unknown:
        sys.exit(f'torch_peer: --only: {path} has no {", ".join(unknown)}; it has {", ".join(names)}')
    return settings, [workload for workload in workloads if only is None or workload['name'] in only]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    add = parser.add_argument
    sizes = 'results of `node bench.mjs`, of which sizes and settings are read (default: %(default)s)'
    add('--workloads', metavar='FILE', default='out.json', help=sizes)
    add('--only', nargs='+', metavar='NAME', help='only these workloads')
    add('--device', choices=['cuda', 'cpu'], default='cuda', help='cpu is for trying this out')
    add('--precision', nargs='+', choices=list(PRECISIONS), help='default: all that the device has')
    add('--json', metavar='FILE', default='torch.json', help='where rows go (default: %(default)s)')
    return parser.parse_args()


def main() -> int:
    options = arguments()
    settings, workloads = read_workloads(options.workloads, options.only)
    if torch is None:
        sys.exit('torch_peer: expected PyTorch, which this Python does not have: python3 -m pip install torch')
    device = torch.device(options.device)
    cuda = device.type == 'cuda'
    if cuda and not (torch.cuda.is_available() and torch.backends.cudnn.is_available()):
        has = f'expected an NVIDIA GPU with CUDA and cuDNN, torch {torch.__version__} finds none'
        sys.exit(f'torch_peer: {has}: install a torch with CUDA, or try --device cpu')
    head = {
        'torch': torch.__version__,
        'cuda': torch.version.cuda if cuda else None,
        'cudnn': torch.backends.cudnn.version() if cuda else None,
        'device': torch.cuda.get_device_name(device) if cuda else f'CPU, threads: {torch.get_num_threads()}',
    }
    precisions = [PRECISIONS[name] for name in options.precision or (list(PRECISIONS) if cuda else ['float32'])]
    # The first call makes the CUDA context, which is no workload's.
    torch.ones(1, device=device).cpu()
    rows: List[Row] = []
    for workload in workloads:
        reference = prepare(workload, settings['seed'], torch.device('cpu'), 'float64')
        expected = answer_of(reference, workload['kind'])
        rows += [measure(workload, precision, device, settings, expected) for precision in precisions]
        # After each workload, so that a run that is cut short leaves what it has.
        with open(options.json, 'w', encoding='utf8') as file:
            json.dump({**head, 'settings': settings, 'rows': rows}, file, indent=2)
    print(f'{head["device"]}: torch {head["torch"]}, CUDA {head["cuda"]}, cuDNN {head["cudnn"]}')
    print('{:22}{:24}{:30}{:30}error'.format('workload', 'contestant', 'latency ms', 'back to back ms'))
    for row in rows:
        print_row(row)
    return 1 if any(row['status'] in ('wrong', 'failed') for row in rows) else 0


if __name__ == '__main__':
    sys.exit(main())
