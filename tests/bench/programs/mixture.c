/* In the manner of CoreMark: a linked list that is searched, reversed and sorted by merging, small matrices of 16-bit
   numbers, a state machine that reads numbers as text; a CRC of 16 bits over what each of them found. */
struct item {
  struct item *next;
  u16 key, index;
};
static struct item items[256];
static u16 left[12][12], right[12][12];
static u32 product[12][12];

static u16 crc16(u32 value, u16 crc) {
  for (u32 i = 0; i < 32; i++, value >>= 1) crc = (crc ^ value) & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
  return crc;
}

static int by_key(const struct item *a, const struct item *b) { return a->key - b->key; }
static int by_index(const struct item *a, const struct item *b) { return a->index - b->index; }

/* Sorts by merging runs of twice the length each time. */
APART static struct item *merge_sort(struct item *list, int (*order)(const struct item *, const struct item *)) {
  for (u32 size = 1;; size *= 2) {
    struct item *p = list, *tail = 0;
    u32 merges = 0;
    list = 0;
    while (p) {
      struct item *q = p, *e;
      u32 have = 0, more = size;
      merges++;
      while (q && have < size) q = q->next, have++;
      while (have || (more && q)) {
        if (have && (!more || !q || order(p, q) <= 0)) e = p, p = p->next, have--;
        else e = q, q = q->next, more--;
        if (tail) tail->next = e;
        else list = e;
        tail = e;
      }
      p = q;
    }
    tail->next = 0;
    if (merges <= 1) return list;
  }
}

APART static u16 lists(u16 crc) {
  struct item *list = 0;
  u32 found = 0;
  for (u32 i = 0; i < 256; i++) {
    items[i].key = (u16)(next() >> 16);
    items[i].index = (u16)i;
    items[i].next = list;
    list = &items[i];
  }
  for (u32 i = 0; i < 16; i++) {
    struct item *back = 0, *p = list;
    while (p && (p->key & 255) != i * 16) p = p->next;
    if (p) found += p->index;
    for (p = list; p;) { struct item *n = p->next; p->next = back; back = p; p = n; }
    list = back;
  }
  list = merge_sort(list, by_key);
  for (struct item *p = list; p; p = p->next) crc = crc16(p->key, crc);
  list = merge_sort(list, by_index);
  return crc16(list->key + found, crc);
}

APART static u16 matrices(u16 crc) {
  for (u32 i = 0; i < 12; i++) for (u32 k = 0; k < 12; k++) {
    left[i][k] = (u16)(next() >> 20);
    right[i][k] = (u16)(next() >> 20);
  }
  for (u32 i = 0; i < 12; i++) for (u32 k = 0; k < 12; k++) {
    u32 sum = 0;
    for (u32 m = 0; m < 12; m++) sum += (u32)left[i][m] * right[m][k];
    product[i][k] = (sum >> 2 & 15) * (sum >> 5 & 127);
    crc = crc16(product[i][k], crc);
  }
  return crc;
}

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, BAD };

/* One octet of text; what follows from it. */
static enum state step(enum state s, char c) {
  int digit = c >= '0' && c <= '9';
  switch (s) {
    case START: return digit ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : BAD;
    case SIGN: return digit ? INTEGER : c == '.' ? POINT : BAD;
    case INTEGER: return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : BAD;
    case POINT: return digit ? FRACTION : BAD;
    case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : BAD;
    case EXPONENT: return digit ? EXPONENT : BAD;
    default: return BAD;
  }
}

APART static u16 states(u16 crc) {
  static const char text[] = "5012,+874,-122,35.54400,.1234500,-110.700,5.5e3,T0.3e-1F,-T.T++Tq,1T3.4e4z,34.0e-T^,";
  u32 count[BAD + 1] = {0};
  for (u32 turn = 0; turn < 16; turn++) {
    enum state s = START;
    for (u32 i = 0; i + 1 < sizeof text; i++) {
      char c = (i + turn) % 23 ? text[i] : '7';
      if (c == ',') count[s]++, s = START;
      else s = step(s, c);
    }
  }
  for (u32 i = 0; i <= BAD; i++) crc = crc16(count[i], crc);
  return crc;
}

static u32 run_mixture(void) {
  u16 crc = 0;
  seed = 1;
  for (u32 turn = 0; turn < 2; turn++) crc = states(matrices(lists(crc)));
  return expect(crc, KNOWN_MIXTURE);
}
