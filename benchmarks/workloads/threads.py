"""Eight threads build, search and serialise containers; `threads.py ROUNDS`."""

import hashlib
import json
import re
import sys
import threading

results: dict[int, str] = {}


def work(number: int, rounds: int) -> None:
    digest = hashlib.sha256()
    for round_number in range(rounds):
        table = {f"key {i} of {number}": [i * j for j in range(i % 17)] for i in range(2000)}
        text = json.dumps(table, sort_keys=True)
        words = re.findall(r"key \d+", text)
        digest.update(" ".join(sorted(words)).encode())
        digest.update(str(sum(len(row) for row in json.loads(text).values())).encode())
        digest.update(b"".join(bytes([round_number % 256]) * n for n in range(300)))
    results[number] = digest.hexdigest()


threads = [threading.Thread(target=work, args=(number, int(sys.argv[1]))) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for number in sorted(results):
    print(number, results[number])
