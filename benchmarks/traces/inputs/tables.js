// Strings, regular expressions, typed arrays, file reads, promises and compression; `tables.js ROUNDS`.
const fs = require('fs');
const os = require('os');
const path = require('path');
const zlib = require('zlib');

async function main(rounds) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tables-'));
  let total = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const rows = [];
      for (let i = 0; i < 8000; i++) rows.push(`name${(i * 7919 + round) % 5003};${i / 8};${'tag'.repeat(i % 5)}`);
      const files = [];
      for (let part = 0; part < 40; part++) {
        const file = path.join(folder, `part${part}`);
        await fs.promises.writeFile(file, rows.slice(part * 200, part * 200 + 200).join('\n'));
        files.push(file);
      }
      const read = await Promise.all(files.map((file) => fs.promises.readFile(file)));
      const packed = await Promise.all(read.map((data) => new Promise((resolve, reject) => {
        zlib.brotliCompress(data, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }, (error, out) => (error ? reject(error) : resolve(out)));
      })));
      total += packed.reduce((sum, data) => sum + data.length, 0);
      for (const line of Buffer.concat(read).toString().matchAll(/name(\d*7);([\d.]+)/g)) total += line[1].length;
      const grid = Array.from({ length: 200 }, (_, i) => new Float64Array(i * 40 + 1).fill(i));
      total += grid.reduce((sum, row) => sum + row[row.length - 1], 0);
      total += [...new Intl.Collator('en').compare('a', 'b').toString()].length;
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  console.log(total);
}

main(Number(process.argv[2]));
