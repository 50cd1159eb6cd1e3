// Objects, maps, buffers outside the script heap, compression and worker threads; `heap.js ROUNDS`.
const crypto = require('crypto');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

function work(seed, rounds) {
  const digest = crypto.createHash('sha256');
  for (let round = 0; round < rounds; round++) {
    const map = new Map();
    for (let i = 0; i < 20000; i++) map.set(`key ${(i * 7919 + seed) % 10007}`, { i, list: [i, i + 1, `${i}`] });
    const text = JSON.stringify([...map.entries()].sort());
    digest.update(text);
    const packed = zlib.gzipSync(Buffer.from(text), { level: 1 });
    digest.update(zlib.gunzipSync(packed));
    const buffers = [];
    for (let i = 0; i < 300; i++) buffers.push(Buffer.alloc(i * 97 + 1, i % 256));
    digest.update(Buffer.concat(buffers));
    JSON.parse(text);
  }
  return digest.digest('hex');
}

if (isMainThread) {
  const rounds = Number(process.argv[2]);
  const seeds = [1, 2];
  const running = seeds.map((seed) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { seed, rounds } });
    worker.on('message', resolve);
    worker.on('error', reject);
  }));
  Promise.all(running).then((digests) => {
    console.log(work(0, rounds));
    digests.forEach((digest, i) => console.log(seeds[i], digest));
  });
} else {
  parentPort.postMessage(work(workerData.seed, workerData.rounds));
}
