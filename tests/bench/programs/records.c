/* In the manner of Dhrystone: records behind pointers, strings that are copied and compared, small functions with few
   arguments, enumerations, a table of two dimensions. */
enum kind { ONE, TWO, THREE, FOUR };
struct record {
  struct record *next;
  enum kind kind;
  int value;
  char text[31];
};
static struct record pool[2];
static int row[50], grid[50][50], total;
static char letter;

#define APART __attribute__((noinline, noclone))

APART static void text_copy(char *to, const char *from) { while ((*to++ = *from++)) {} }
APART static int text_order(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}
APART static enum kind kind_of(enum kind k, int level) {
  switch (k) {
    case ONE: return level > 100 ? FOUR : TWO;
    case TWO: return level > 100 ? ONE : FOUR;
    case THREE: return TWO;
    default: return THREE;
  }
}
APART static void add(int a, int b, int *sum) { *sum = a + b + 2; }
APART static void table(int *line, int (*all)[50], int at, int value) {
  int k = at + 5;
  line[k] = value;
  line[k + 1] = line[k];
  line[k + 30] = k;
  for (int i = k; i <= k + 1; i++) all[k][i] = k;
  all[k][k - 1]++;
  all[k + 20 < 50 ? k + 20 : 49][k] = line[k];
  total += 5;
}
APART static int same(char a, char b) {
  if (a != b) return 0;
  letter = a;
  return 1;
}
APART static int later(const char *a, const char *b) {
  int i = 2;
  while (i <= 2) if (!same(a[i], b[i + 1])) i++;
  if (letter >= 'W' && letter < 'Z') i = 7;
  return letter == 'R' || text_order(a, b) > 0 ? (total += i, 1) : 0;
}
APART static void follow(struct record *r, int turn) {
  struct record *n = r->next;
  *n = *r;
  r->value = 5;
  n->value = r->value + turn;
  n->next = r->next;
  if (n->kind == ONE) {
    n->kind = kind_of(r->kind, total);
    add(n->value, 10, &n->value);
  } else *r = *n;
  r->next = n;
}

static u32 run_records(void) {
  char a[31], b[31];
  u32 sum = 0;
  total = 0;
  letter = 'A';
  for (u32 i = 0; i < 50; i++) for (u32 k = row[i] = 0; k < 50; k++) grid[i][k] = 0;
  pool[0].next = &pool[1];
  pool[0].kind = ONE;
  pool[0].value = 40;
  text_copy(pool[0].text, "THE PROGRAM, SOME STRING");
  text_copy(a, "THE PROGRAM, 1'ST STRING");
  for (int turn = 1; turn <= 500; turn++) {
    int x = 2, y = 3, z;
    text_copy(b, turn & 1 ? "THE PROGRAM, 2'ND STRING" : "THE PROGRAM, 0'TH STRING");
    total += later(a, b);
    while (x < y) {
      z = 5 * x - y;
      add(x, y, &z);
      x++;
      sum += z;
    }
    table(row, grid, turn % 14, z);
    pool[0].kind = turn & 2 ? ONE : TWO;
    follow(&pool[0], turn);
    for (char c = 'A'; c <= 'D'; c++) if (same(c, 'C')) text_copy(b, pool[1].text);
    y = z * x;
    x = y / (turn % 9 + 1);
    y = 7 * (y - x) - turn;
    sum = sum * 31 + (u32)(x + y + pool[0].kind * 3 + pool[1].value + b[turn % 24]);
  }
  return expect(sum + (u32)total + (u32)grid[9][9], KNOWN_RECORDS);
}
