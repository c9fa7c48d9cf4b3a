/* NAS Parallel Benchmarks EP and IS (class S) as guest programs; constants from NAS reports RNR-94-007 and NAS-95-020. */
#include "vmikit_message.h"

typedef double f64;

static f64 floor46(f64 x) { return (f64)(long long)x; } /* x is not negative */

static f64 times46(f64 a, f64 x) {
  const f64 r23 = 0x1p-23, t23 = 0x1p23, r46 = 0x1p-46, t46 = 0x1p46;
  f64 a1 = floor46(r23 * a), a2 = a - t23 * a1, x1 = floor46(r23 * x), x2 = x - t23 * x1;
  f64 t1 = a1 * x2 + a2 * x1, z = t1 - t23 * floor46(r23 * t1), t3 = t23 * z + a2 * x2;
  return t3 - t46 * floor46(r46 * t3);
}

static f64 power46(f64 a, msg_u32 n) {
  f64 result = 1, square = a;
  for (; n; n >>= 1, square = times46(square, square)) if (n & 1) result = times46(result, square);
  return result;
}

static f64 state;
static f64 next46(void) { return 0x1p-46 * (state = times46(1220703125.0, state)); }
static void begin46(f64 seed, msg_u32 skip) { state = times46(power46(1220703125.0, skip), seed); }

static f64 logarithm(f64 x) { f64 y; __asm__("fldln2; fxch; fyl2x" : "=t"(y) : "0"(x)); return y; }
static f64 root(f64 x) { f64 y; __asm__("fsqrt" : "=t"(y) : "0"(x)); return y; }
static f64 size_of(f64 x) { return x < 0 ? -x : x; }

#ifdef EP
static int close(f64 a, f64 b) { return size_of((a - b) / b) <= 1e-8; }

int msg_main(void) {
  msg_mesh();
  msg_u32 pairs = 1u << 16, from = pairs / msg_self.size * msg_self.rank;
  msg_u32 to = msg_self.rank + 1 == msg_self.size ? pairs : from + pairs / msg_self.size;
  f64 sums[2] = {0, 0}, all[2];
  int counts[10] = {0}, total[10];
  begin46(271828183.0, 2 * from);
  for (msg_u32 i = from; i < to; i++) {
    f64 x = 2 * next46() - 1, y = 2 * next46() - 1, t = x * x + y * y;
    if (t > 1) continue;
    f64 f = root(-2 * logarithm(t) / t), a = x * f, b = y * f;
    f64 most = size_of(a) > size_of(b) ? size_of(a) : size_of(b);
    counts[(int)most]++;
    sums[0] += a;
    sums[1] += b;
  }
  msg_allreduce(sums, all, sizeof sums, MSG_SUM | MSG_F64);
  msg_allreduce(counts, total, sizeof counts, MSG_SUM | MSG_I32);
  int accepted = 0;
  for (int i = 0; i < 10; i++) accepted += total[i];
  return close(all[0], 77.72321454195500) && close(all[1], 27.90554015472258) ? accepted : -1;
}
#else
enum { KEYS = 1 << 16, RANGE = 1 << 11, ITERATIONS = 10 };
static int keys[KEYS], counts[RANGE + 1], all_counts[RANGE + 1];
static const int indices[5] = {48427, 17148, 23627, 62548, 4431}, ranks[5] = {0, 18, 346, 64917, 65463};

int msg_main(void) {
  msg_mesh();
  int share = KEYS / msg_self.size, first = share * msg_self.rank, passed = 0;
  begin46(314159265.0, 4 * first);
  for (int i = 0; i < share; i++) {
    f64 x = next46();
    x += next46(); x += next46(); x += next46();
    keys[i] = (int)(RANGE / 4 * x);
  }
  for (int it = 1; it <= ITERATIONS; it++) {
    int mine[5] = {0}, wanted[5];
    if (it - first >= 0 && it - first < share) keys[it - first] = it;
    if (it + ITERATIONS - first >= 0 && it + ITERATIONS - first < share) keys[it + ITERATIONS - first] = RANGE - it;
    for (int k = 0; k < 5; k++) {
      int at = indices[k] - first;
      if (at >= 0 && at < share) mine[k] = keys[at];
    }
    msg_allreduce(mine, wanted, sizeof mine, MSG_SUM | MSG_I32);
    /* The keys are few enough to be counted by all: the sum of all counts ranks every key. */
    for (int k = 0; k <= RANGE; k++) counts[k] = 0;
    for (int i = 0; i < share; i++) counts[keys[i]]++;
    msg_allreduce(counts, all_counts, sizeof counts, MSG_SUM | MSG_I32);
    for (int k = 0; k < 5; k++) {
      int below = 0;
      for (int v = 0; v < wanted[k]; v++) below += all_counts[v];
      if (below == ranks[k] + (k < 3 ? it : -it)) passed++;
    }
  }
  /* Every rank takes its range of keys from all: ranges rise with the ranks, so the keys are in order if none is lost. */
  static int part[2 * KEYS], got[2 * KEYS];
  int width = RANGE / msg_self.size, room = 2 * KEYS / msg_self.size;
  for (msg_u32 r = 0; r < msg_self.size; r++) {
    int n = 0;
    for (int i = 0; i < share; i++) if (keys[i] / width == (int)r || (keys[i] == RANGE && r + 1 == msg_self.size)) part[r * room + ++n] = keys[i];
    part[r * room] = n;
  }
  msg_collective(MSG_OP_ALLTOALL, 0, part, sizeof part, got, sizeof got, 0);
  int count = 0, lost = 0, total = 0, all_lost = 0;
  for (msg_u32 r = 0; r < msg_self.size; r++) {
    count += got[r * room];
    for (int i = 1; i <= got[r * room]; i++) {
      int key = got[r * room + i];
      if (key < width * (int)msg_self.rank || (key >= width * (int)(msg_self.rank + 1) && key != RANGE)) lost++;
    }
  }
  msg_allreduce(&count, &total, 4, MSG_SUM | MSG_I32);
  msg_allreduce(&lost, &all_lost, 4, MSG_SUM | MSG_I32);
  return passed + (all_lost == 0 && total == KEYS);
}
#endif
