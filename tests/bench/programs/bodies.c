/* Five bodies that attract each other, on the x87: symplectic steps in double precision, intermediate results as wide as
   the unit has them (-fexcess-precision=standard, so that every compiler means the same). The result is the bits of the
   energy after the steps, which must also be near the energy before. */
struct body { double at[3], speed[3], mass; };
static const struct body begin[5] = {
  {{0, 0, 0}, {0, 0, 0}, 40},
  {{5, -1.25, -0.125}, {0.625, 2.75, -0.03125}, 0.0375},
  {{8.25, 4.125, -0.40625}, {-1.0, 1.8125, 0.0078125}, 0.01125},
  {{12.875, -15.125, -0.21875}, {1.0625, 0.875, -0.0078125}, 0.00175},
  {{15.375, -25.9375, 0.1875}, {0.96875, 0.59375, -0.03125}, 0.002},
};
static struct body bodies[5];

static inline long double root(long double x) { __asm__("fsqrt" : "+t"(x)); return x; }

APART static void advance(double dt) {
  for (u32 i = 0; i < 5; i++) for (u32 k = i + 1; k < 5; k++) {
    struct body *a = &bodies[i], *b = &bodies[k];
    double x = a->at[0] - b->at[0], y = a->at[1] - b->at[1], z = a->at[2] - b->at[2];
    double square = x * x + y * y + z * z, pull = dt / (square * root(square));
    a->speed[0] -= x * b->mass * pull;
    a->speed[1] -= y * b->mass * pull;
    a->speed[2] -= z * b->mass * pull;
    b->speed[0] += x * a->mass * pull;
    b->speed[1] += y * a->mass * pull;
    b->speed[2] += z * a->mass * pull;
  }
  for (u32 i = 0; i < 5; i++) for (u32 k = 0; k < 3; k++) bodies[i].at[k] += dt * bodies[i].speed[k];
}

APART static double energy(void) {
  double sum = 0;
  for (u32 i = 0; i < 5; i++) {
    struct body *a = &bodies[i];
    sum += 0.5 * a->mass * (a->speed[0] * a->speed[0] + a->speed[1] * a->speed[1] + a->speed[2] * a->speed[2]);
    for (u32 k = i + 1; k < 5; k++) {
      struct body *b = &bodies[k];
      double x = a->at[0] - b->at[0], y = a->at[1] - b->at[1], z = a->at[2] - b->at[2];
      sum -= a->mass * b->mass / root(x * x + y * y + z * z);
    }
  }
  return sum;
}

static u32 run_bodies(void) {
  union { double number; u32 half[2]; } before, after;
  for (u32 i = 0; i < 5; i++) bodies[i] = begin[i];
  before.number = energy();
  for (u32 i = 0; i < 200; i++) advance(0.0078125);
  after.number = energy();
  double change = (after.number - before.number) / before.number;
  return (change > 0.001 || change < -0.001) + expect(after.half[0] ^ after.half[1], KNOWN_BODIES);
}
