"""Pools of processes, forked while threads run and spawned afresh; `processes.py ITEMS`."""

import multiprocessing
import sys
import threading

stop = threading.Event()


def square_sum(n: int) -> tuple[int, int]:
    return n, sum(i * i for i in [len(str(j)) for j in range(n % 5000)])


def churn() -> None:
    while not stop.is_set():
        sorted([str(i) for i in range(500)])


if __name__ == "__main__":
    items = range(int(sys.argv[1]))
    churning = [threading.Thread(target=churn) for _ in range(2)]
    for thread in churning:
        thread.start()
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, sum(total for _, total in pool.imap_unordered(square_sum, items, chunksize=50)))
    stop.set()
    for thread in churning:
        thread.join()
