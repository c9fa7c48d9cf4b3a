/* Integer kernels for the benchmarks of engines; freestanding, no SSE. The number of the kernel is in ESI, its size in
   EDI; it is run over and over and EBX sums what it returns. With PROGRAMS defined they are part of programs/programs.c. */
typedef unsigned int u32;
typedef unsigned char u8;

#ifndef PROGRAMS
__asm__(".globl _start\n_start: push %edi\n call *kernels(,%esi,4)\n add $4, %esp\n add %eax, %ebx\n jmp _start\n");
#endif

static u8 flags[65536];
static u32 words[65536], more[65536];
static u32 seed = 1;
static u32 next(void) { return seed = seed * 1664525u + 1013904223u; }

u32 sieve(u32 n) {
  u32 found = 0;
  while (n--) {
    for (u32 i = 0; i < sizeof flags; i++) flags[i] = 1;
    for (u32 i = 2; i < sizeof flags; i++) {
      if (!flags[i]) continue;
      found++;
      for (u32 k = i + i; k < sizeof flags; k += i) flags[k] = 0;
    }
  }
  return found;
}

u32 crc32(u32 n) {
  u32 table[256], crc = ~0u;
  for (u32 i = 0; i < 256; i++) {
    u32 c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  while (n--) for (u32 i = 0; i < sizeof flags; i++) crc = table[(crc ^ flags[i]) & 255] ^ (crc >> 8);
  return ~crc;
}

u32 copy(u32 n) {
  while (n--) for (u32 i = 0; i < 65536; i++) { more[i] = words[i]; __asm__("" ::: "memory"); }
  return more[77];
}

u32 list(u32 n) {
  u32 at = 0, sum = 0;
  for (u32 i = 0; i < 4096; i++) words[i] = (i * 1237 + 891) & 4095;
  while (n--) for (u32 i = 0; i < 4096; i++) { at = words[at]; sum += at; }
  return sum;
}

static void sort(int *a, int lo, int hi) {
  while (lo < hi) {
    int p = a[(lo + hi) >> 1], i = lo, k = hi;
    while (i <= k) {
      while (a[i] < p) i++;
      while (a[k] > p) k--;
      if (i <= k) { int t = a[i]; a[i++] = a[k]; a[k--] = t; }
    }
    sort(a, lo, k);
    lo = i;
  }
}

u32 quicksort(u32 n) {
  while (n--) {
    for (u32 i = 0; i < 8192; i++) words[i] = next();
    sort((int *)words, 0, 8191);
  }
  return words[100];
}

static u32 ror(u32 x, int n) { return x >> n | x << (32 - n); }

u32 sha256(u32 n) {
  static u32 k[64], w[64], h[8];
  for (u32 i = 0; i < 64; i++) k[i] = next();
  for (u32 i = 0; i < 8; i++) h[i] = i * 0x9e3779b9u;
  while (n--) {
    for (u32 i = 0; i < 16; i++) w[i] = h[i & 7] + i;
    for (u32 i = 16; i < 64; i++) {
      u32 a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
    }
    u32 a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], q = h[7];
    for (u32 i = 0; i < 64; i++) {
      u32 s = q + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
      u32 t = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      q = g; g = f; f = e; e = d + s; d = c; c = b; b = a; a = s + t;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += q;
  }
  return h[0];
}

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) u32 fibonacci(u32 n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
u32 fib(u32 n) { u32 sum = 0; while (n--) sum += fibonacci(18); return sum; }

u32 vm(u32 n) {
  static const u8 code[] = {0, 1, 2, 3, 4, 1, 5, 2, 6, 3, 7, 0, 1, 4, 5, 8};
  u32 acc = 1, x = 7, y = 3, pc = 0;
  n *= 65536;
  for (;;) switch (code[pc++]) {
    case 0: acc += x; break;
    case 1: acc ^= y << 3; break;
    case 2: x = acc * 3 + 1; break;
    case 3: y += acc >> 5; break;
    case 4: words[acc & 255] = x; break;
    case 5: y ^= words[x & 255]; break;
    case 6: acc -= y; break;
    case 7: x = ror(x, 3) + y; break;
    default: pc = 0; if (!n--) return acc; 
  }
}

static u32 f0(u32 x) { return x * 3 + 1; }
static u32 f1(u32 x) { return x ^ x >> 3; }
static u32 f2(u32 x) { return x + 0x1234567; }
static u32 f3(u32 x) { return ror(x, 5); }
u32 pointers(u32 n) {
  static u32 (*volatile table[4])(u32) = {f0, f1, f2, f3};
  u32 x = 1;
  n *= 65536;
  while (n--) x = table[x >> 7 & 3](x) + n;
  return x;
}

u32 strings(u32 n) {
  u32 sum = 0;
  for (u32 i = 0; i < sizeof flags; i++) flags[i] = i % 23 ? 'a' + i % 26 : 0;
  while (n--) for (u32 i = 0; i + 32 < sizeof flags;) {
    u32 hash = 5381;
    const u8 *s = flags + i;
    while (*s) hash = hash * 33 + *s++;
    sum ^= hash;
    i += s - (flags + i) + 1;
  }
  return sum;
}

u32 matrix(u32 n) {
  static int a[32][32], b[32][32], c[32][32];
  for (int i = 0; i < 32; i++) for (int k = 0; k < 32; k++) { a[i][k] = next() >> 20; b[i][k] = next() >> 20; }
  while (n--) for (int i = 0; i < 32; i++) for (int k = 0; k < 32; k++) {
    int s = 0;
    for (int m = 0; m < 32; m++) s += a[i][m] * b[m][k];
    c[i][k] = s + n;
  }
  return c[3][4];
}

u32 divide(u32 n) {
  unsigned long long x = 1;
  u32 sum = 0;
  n *= 16384;
  while (n--) {
    u32 a = next(), b = (next() >> 16) + 1;
    sum += a / b + (int)a % (int)b;
    x = x * 0x5851f42d4c957f2dull + sum;
    sum ^= (u32)(x >> 33);
  }
  return sum;
}

u32 (*const kernels[])(u32) = {
  sieve, crc32, copy, list, quicksort, sha256, fib, vm, pointers, strings, matrix, divide,
};
