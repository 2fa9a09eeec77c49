#!/usr/bin/env python3
"""Times the benchmark's workloads in PyTorch: through cuDNN and cuBLAS on an NVIDIA GPU, in float32, TF32 and float16.

Measures as measure.ts does: a right answer first, then precisions in turns; one run with its result on the CPU, and the
slope over many back to back. CUDA events tell besides what a run takes by the device's own clock. Needs torch 1.13 or newer.

    node bench.mjs --workloads workloads.json
    python3 torch_peer.py --workloads workloads.json --json torch.json
"""

import argparse
import copy
import json
import math
import os
import statistics
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple

try:
    import torch
except ImportError:
    # Only a run needs it: arguments are read, and explained, without.
    torch = None

Workload = Dict[str, Any]
Row = Dict[str, Any]

# As in measure.ts and check.ts.
LONG_RUN = 1000
WARM_UP_RUNS = 10
WARM_UP_TIME = 1000
MAX_BURST = 256
CHECKED_RUNS = {'sequence': 1, 'stream': 8, 'training': 2, 'matmul': 1}
STREAM_INPUTS = 16


@dataclass(frozen=True)
class Precision:
    label: str
    tf32: bool
    half: bool
    # Of the largest number expected, at least 1; coarser than check.ts. TF32 and float16 have 10 bits after the first.
    tolerance: float


PRECISIONS = {
    'float32': Precision('float32', False, False, 5e-4),
    'tf32': Precision('TF32', True, False, 1e-2),
    'float16': Precision('float16', False, True, 1e-2),
}


@dataclass
class Job:
    """As in contestant.ts: `run` queues one run, `read` brings the result of the latest to the CPU."""

    run: Callable[[], None]
    read: Callable[[], Any]


@dataclass
class Model:
    """A workload with its numbers, in float32 on the CPU."""

    prepare: Callable[[Precision, Any], Job]
    # What the checked runs should give, in float64, and where that lies in what was read.
    expected: Any
    part: Callable[[Any], Any]


@dataclass
class Entrant:
    row: Row
    job: Job
    precision: Precision
    burst: int
    first: float
    samples: Dict[str, List[float]] = field(default_factory=dict)
    spent: float = 0

    def add(self, name: str, value: float) -> None:
        self.samples.setdefault(name, []).append(value)


def now() -> float:
    return 1e3 * time.perf_counter()


def recurrent(workload: Workload, input_size: int) -> Any:
    layer = {'lstm': torch.nn.LSTM, 'gru': torch.nn.GRU, 'rnn': torch.nn.RNN}[workload['cell']]
    return layer(
        input_size,
        workload['hiddenSize'],
        num_layers=workload.get('numLayers', 1),
        bidirectional=workload.get('bidirectional', False),
    )


def dtype_of(precision: Precision) -> Any:
    return torch.float16 if precision.half else torch.float32


def placed(net: Any, precision: Precision, device: Any) -> Any:
    return copy.deepcopy(net).to(device, dtype_of(precision)).eval()


def on_host(values: Any, device: Any) -> Any:
    """In pinned memory where a GPU reads it, so that a copy need not wait: what an application would do."""
    return values.pin_memory() if device.type == 'cuda' else values


def uniform(*shape: int) -> Any:
    return 2 * torch.rand(*shape) - 1


class Latest:
    value: Any = None

    def read(self) -> Any:
        return self.value.cpu()


def sequence_model(workload: Workload) -> Model:
    net = recurrent(workload, workload['inputSize'])
    x = uniform(workload['steps'], workload['batch'], workload['inputSize'])

    def prepare(precision: Precision, device: Any) -> Job:
        own, inputs, latest = placed(net, precision, device), x.to(device, dtype_of(precision)), Latest()

        def run() -> None:
            with torch.no_grad():
                latest.value = own(inputs)[0]

        return Job(run, latest.read)

    with torch.no_grad():
        expected = copy.deepcopy(net).double()(x[:, :1].double())[0]
    return Model(prepare, expected[None], lambda values: values[:, :, :1])


def stream_model(workload: Workload) -> Model:
    net = recurrent(workload, workload['inputSize'])
    inputs = uniform(STREAM_INPUTS, 1, 1, workload['inputSize'])

    def stepper(own: Any, steps: Any, device: Any) -> Job:
        latest, state, count = Latest(), None, 0

        def run() -> None:
            nonlocal state, count
            with torch.no_grad():
                # From the host, as a stream's inputs come.
                latest.value, state = own(steps[count % STREAM_INPUTS].to(device, non_blocking=True), state)
            count += 1

        return Job(run, latest.read)

    def prepare(precision: Precision, device: Any) -> Job:
        return stepper(placed(net, precision, device), on_host(inputs.to(dtype_of(precision)), device), device)

    reference = stepper(copy.deepcopy(net).double(), inputs.double(), torch.device('cpu'))
    return Model(prepare, answer_of(reference, 'stream'), lambda values: values)


def training_model(workload: Workload) -> Model:
    classes, hidden = workload['classes'], workload['hiddenSize']
    layer, linear = recurrent(workload, classes), torch.nn.Linear(hidden, classes)
    characters = torch.randint(classes, (workload['steps'] + 1, workload['batch']))
    one_hot = torch.nn.functional.one_hot(characters[:-1], classes).float()
    labels = characters[1:].reshape(-1)

    def trainer(own: Any, head: Any, x: Any, device: Any, half: bool) -> Job:
        parameters = [*own.parameters(), *head.parameters()]
        cuda = device.type == 'cuda'
        fused = {'fused': True} if cuda and not torch.__version__.startswith('1.') else {}
        optimizer = torch.optim.Adam(parameters, lr=workload['learningRate'], **fused)
        # Newer torch warns of the old place.
        scaling = torch.amp if hasattr(torch.amp, 'GradScaler') else torch.cuda.amp
        scaler = scaling.GradScaler(enabled=half)
        host_x, host_labels = on_host(x, device), on_host(labels, device)
        latest = Latest()

        def run() -> None:
            # From the host, as in an application: each step's batch.
            inputs, targets = host_x.to(device, non_blocking=True), host_labels.to(device, non_blocking=True)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast('cuda', dtype=torch.float16) if half else nullcontext():
                logits = head(own(inputs)[0]).reshape(-1, classes)
                loss = torch.nn.functional.cross_entropy(logits, targets)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            latest.value = loss.detach()

        return Job(run, latest.read)

    def prepare(precision: Precision, device: Any) -> Job:
        # Mixed precision as PyTorch has it: weights stay float32.
        own, head = copy.deepcopy(layer).to(device), copy.deepcopy(linear).to(device)
        return trainer(own, head, one_hot, device, precision.half)

    reference = trainer(
        copy.deepcopy(layer).double(), copy.deepcopy(linear).double(), one_hot.double(), torch.device('cpu'), False
    )
    return Model(prepare, answer_of(reference, 'training'), lambda values: values)


def matmul_model(workload: Workload) -> Model:
    a, b = uniform(workload['rows'], workload['inner']), uniform(workload['inner'], workload['columns'])

    def prepare(precision: Precision, device: Any) -> Job:
        left, right = a.to(device, dtype_of(precision)), b.to(device, dtype_of(precision))
        latest = Latest()

        def run() -> None:
            latest.value = left @ right

        return Job(run, latest.read)

    return Model(prepare, (a[:1].double() @ b.double())[None], lambda values: values[:, :1])


MODELS = {
    'sequence': sequence_model,
    'stream': stream_model,
    'training': training_model,
    'matmul': matmul_model,
}


def answer_of(job: Job, kind: str) -> Any:
    """The results of the first runs, one behind the other."""
    results = []
    for _ in range(CHECKED_RUNS[kind]):
        job.run()
        results.append(job.read().double())
    return torch.stack(results)


def summarize(samples: List[float]) -> Dict[str, Any]:
    return {'median': statistics.median(samples), 'low': min(samples), 'high': max(samples), 'samples': len(samples)}


class Bench:
    def __init__(self, device: Any, settings: Dict[str, Any]) -> None:
        self.device = device
        self.settings = settings

    def contestant(self, precision: Precision) -> str:
        return f'PyTorch {"cuDNN" if self.device.type == "cuda" else "CPU"} {precision.label}'

    def use(self, precision: Precision) -> None:
        torch.backends.cudnn.allow_tf32 = precision.tf32
        torch.backends.cuda.matmul.allow_tf32 = precision.tf32
        if self.device.type == 'cuda':
            torch.cuda.synchronize()

    def cannot(self, precision: Precision) -> Optional[str]:
        if self.device.type == 'cpu':
            return None if precision.label == 'float32' else 'on the CPU only float32 is timed'
        if precision.tf32 and torch.cuda.get_device_capability(self.device) < (8, 0):
            return 'this GPU has no TF32: it is from before Ampere'
        return None

    def measure(self, workload: Workload, precisions: List[Precision]) -> List[Row]:
        torch.manual_seed(self.settings['seed'])
        model = MODELS[workload['kind']](workload)
        rows: List[Row] = []
        entrants: List[Entrant] = []
        for precision in precisions:
            say(f'{workload["name"]}: {self.contestant(precision)}')
            entered = self.enter(workload, model, precision)
            if isinstance(entered, Entrant):
                entrants.append(entered)
                rows.append(entered.row)
            else:
                rows.append(entered)
        self.take_turns(entrants)
        for entrant in entrants:
            timing = {name: summarize(samples) for name, samples in entrant.samples.items()}
            if entrant.row['status'] == 'ok':
                entrant.row['timing'] = {'first': entrant.first, **timing}
        return rows

    def enter(self, workload: Workload, model: Model, precision: Precision) -> 'Entrant | Row':
        row: Row = {
            'workload': workload['name'],
            'contestant': self.contestant(precision),
            'library': 'PyTorch',
            'backend': self.device.type,
        }
        cannot = self.cannot(precision)
        if cannot is not None:
            return {**row, 'status': 'unsupported', 'note': cannot}
        self.use(precision)
        try:
            start = now()
            job = model.prepare(precision, self.device)
            job.run()
            job.read()
            first = now() - start
            error = self.error_of(model, workload['kind'], precision)
            # Written so that NaN is wrong.
            if not error <= precision.tolerance:
                note = f'differs from float64 by {error:.2g} of its largest number; at most {precision.tolerance} is right'
                return {**row, 'status': 'wrong', 'note': note, **({'error': error} if math.isfinite(error) else {})}
            single = self.warm_up(job)
        except RuntimeError as cause:
            # CUDA's errors, out of memory among them.
            return {**row, 'status': 'failed', 'note': first_line(cause)}
        burst = 1 if single > LONG_RUN else max(4, min(MAX_BURST, round(self.settings['burst'] / single)))
        return Entrant({**row, 'status': 'ok', 'error': error}, job, precision, burst, first)

    def error_of(self, model: Model, kind: str, precision: Precision) -> float:
        """The largest difference, as a part of the largest number expected (at least 1)."""
        answer = model.part(answer_of(model.prepare(precision, self.device), kind))
        difference = (answer - model.expected).abs().max().item()
        return difference / max(1, model.expected.abs().max().item())

    def warm_up(self, job: Job) -> float:
        times: List[float] = []
        begin = now()
        while not times or (len(times) < WARM_UP_RUNS and now() - begin < WARM_UP_TIME):
            start = now()
            job.run()
            job.read()
            times.append(now() - start)
        return summarize(times)['median']

    def take_turns(self, entrants: List[Entrant]) -> None:
        least, most, budget = (self.settings[key] for key in ('minSamples', 'maxSamples', 'budget'))
        while True:
            going = [
                entrant
                for entrant in entrants
                if entrant.row['status'] == 'ok'
                and (
                    (count := len(entrant.samples.get('latency', []))) < least
                    or (count < most and entrant.spent < budget)
                )
            ]
            if not going:
                return
            for entrant in going:
                try:
                    self.use(entrant.precision)
                    self.sample(entrant)
                except RuntimeError as cause:
                    # As when it entered: the others, and the workloads after it, go on.
                    entrant.row.update(status='failed', note=first_line(cause))

    def sample(self, entrant: Entrant) -> None:
        """One run by itself, then many back to back."""
        job, burst = entrant.job, entrant.burst
        events = self.events()
        start = now()
        job.run()
        called = now()
        job.read()
        single = now() - start
        entrant.add('latency', single)
        if burst == 1 and events is None:
            entrant.add('throughput', single)
            entrant.add('script', called - start)
        else:
            begin = now()
            if events is not None:
                events[0].record()
            for _ in range(burst):
                job.run()
            if events is not None:
                events[1].record()
            queued = now()
            job.read()
            end = now()
            entrant.add('throughput', (end - begin - single) / (burst - 1) if burst > 1 else single)
            entrant.add('script', (queued - begin) / burst)
            if events is not None:
                events[1].synchronize()
                entrant.add('events', events[0].elapsed_time(events[1]) / burst)
        entrant.spent += now() - start

    def events(self) -> 'Optional[Tuple[Any, Any]]':
        if self.device.type != 'cuda':
            return None
        return torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)


def first_line(cause: BaseException) -> str:
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def print_table(rows: List[Row]) -> None:
    def spread(row: Row, name: str) -> str:
        summary = row.get('timing', {}).get(name)
        return '' if summary is None else '{median:.4g} ({low:.4g}–{high:.4g})'.format(**summary)

    head = ['workload', 'contestant', 'latency ms', 'back to back ms', 'by CUDA events ms', 'error', '']
    lines = [head]
    for row in rows:
        told = row['status'] if 'note' not in row else f'{row["status"]}: {row["note"]}'
        error = f'{row["error"]:.1e}' if 'error' in row else ''
        times = [spread(row, name) for name in ('latency', 'throughput', 'events')]
        lines.append([row['workload'], row['contestant'], *times, error, '' if told == 'ok' else told])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print('  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def merged(path: str, head: Dict[str, Any]) -> List[Row]:
    """The rows of earlier runs of the same PyTorch on the same device."""
    if not os.path.exists(path):
        return []
    with open(path, encoding='utf8') as file:
        before = json.load(file)
    for key, value in head.items():
        if before.get(key) != value:
            sys.exit(f'torch_peer: {path} has {key} {before.get(key)}, this is {value}: name another file with --json')
    return before['rows']


def read_workloads(path: str, only: Optional[List[str]]) -> Tuple[Dict[str, Any], List[Workload]]:
    try:
        with open(path, encoding='utf8') as file:
            content = json.load(file)
        settings, workloads = content['settings'], content['workloads']
    except (OSError, ValueError, KeyError, TypeError) as cause:
        sys.exit(
            f'torch_peer: --workloads: expected a file of `node bench.mjs --workloads FILE` or a results file, '
            f'got {path}: {cause!r}'
        )
    names = [workload['name'] for workload in workloads]
    unknown = [name for name in only or [] if name not in names]
    if unknown:
        sys.exit(f'torch_peer: --only: {path} has no {", ".join(unknown)}; it has {", ".join(names)}')
    return settings, [workload for workload in workloads if only is None or workload['name'] in only]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--workloads',
        metavar='FILE',
        default='workloads.json',
        help='sizes and settings: of `node bench.mjs --workloads FILE`, or a results file (default: %(default)s)',
    )
    parser.add_argument('--only', nargs='+', metavar='NAME', help='only these workloads')
    parser.add_argument('--device', choices=['cuda', 'cpu'], default='cuda', help='cpu is for trying this out')
    parser.add_argument('--precision', nargs='+', choices=list(PRECISIONS), help='default: all that the device has')
    parser.add_argument(
        '--json', metavar='FILE', default='torch.json', help='rows are added to it; - for none (default: %(default)s)'
    )
    return parser.parse_args()


def main() -> int:
    options = arguments()
    settings, workloads = read_workloads(options.workloads, options.only)
    if torch is None:
        sys.exit('torch_peer: expected PyTorch, which this Python does not have: python3 -m pip install torch')
    if options.device == 'cuda' and not (torch.cuda.is_available() and torch.backends.cudnn.is_available()):
        sys.exit(
            f'torch_peer: expected an NVIDIA GPU with CUDA and cuDNN, torch {torch.__version__} finds none: '
            'install a torch with CUDA, or try --device cpu'
        )
    device = torch.device(options.device)
    cuda = device.type == 'cuda'
    head = {
        'torch': torch.__version__,
        'cuda': torch.version.cuda if cuda else None,
        'cudnn': torch.backends.cudnn.version() if cuda else None,
        'device': torch.cuda.get_device_name(device) if cuda else f'CPU, threads: {torch.get_num_threads()}',
    }
    rows = [] if options.json == '-' else merged(options.json, head)
    names = options.precision or (list(PRECISIONS) if cuda else ['float32'])
    # The first call makes the CUDA context: no workload's doing.
    torch.ones(1, device=device).cpu()

    bench = Bench(device, settings)
    fresh: List[Row] = []
    for workload in workloads:
        fresh += bench.measure(workload, [PRECISIONS[name] for name in names])
        if options.json != '-':
            done = {(row['workload'], row['contestant']) for row in fresh}
            kept = [row for row in rows if (row['workload'], row['contestant']) not in done]
            # After each workload, so that a run that is cut short leaves what it has.
            with open(options.json, 'w', encoding='utf8') as file:
                json.dump({**head, 'settings': settings, 'rows': kept + fresh}, file, indent=2)
    print(f'{head["device"]}: torch {head["torch"]}, CUDA {head["cuda"]}, cuDNN {head["cudnn"]}')
    print_table(fresh)
    return 1 if any(row['status'] in ('wrong', 'failed') for row in fresh) else 0


if __name__ == '__main__':
    sys.exit(main())
