/* The transform of fft.c with points in lanes: real and imaginary part side by side, and all the arithmetic on pairs.
 * fft_avx2.c and fft_avx512.c include this file; it gives the same integers.
 *
 * They define before: POINTS, 8 or 16, which one register holds; the type `points`; load, store, plus, minus, TURNED
 * (the product with a factor, rounded once), by_minus_i, conjugate, fraction (a rounded product of each part with one
 * number in Q15), reversed, load_transposed, squares, and what weigh and split need.
 *
 * The 256 points are 16 rows of 16. Two stages of radix 4 down the rows, a transposition, and two more: that is the
 * same order as in fft.c, and every step down the rows is one of whole registers.
 */
#define ROWS 16
#define ROW 32 /* int16: 16 points */

/* Factors of a row: for each point (re, -im), then for each (im, re). */
typedef struct {
    points straight, across;
} turn;

static inline turn turn_at(const int16_t *factors, int part) {
    return (turn){load(factors + 2 * POINTS * part), load(factors + ROW + 2 * POINTS * part)};
}

static inline points turned(points v, turn by) { return TURNED(v, by); }
static inline points quarter(points v) { return fraction(v, 8191); }
static inline points half(points v) { return fraction(v, 16383); }

/* Row k of four is bin k of the points of four rows. */
static inline void four_bins(points a, points e, points f, points g, points *out, int step) {
    const points even = plus(a, f), odd = minus(a, f), sum = plus(e, g), across = by_minus_i(minus(e, g));
    out[0] = plus(even, sum);
    out[step] = plus(odd, across);
    out[2 * step] = minus(even, sum);
    out[3 * step] = minus(odd, across);
}

static inline void turned_bins(const points in[4 * 4], const turn by[3], points *out, int step) {
    four_bins(quarter(in[0]), turned(quarter(in[4]), by[0]), turned(quarter(in[8]), by[1]),
              turned(quarter(in[12]), by[2]), out, step);
}

/* The factors of the second stage are the same for all points of a row: the fourth, eighth and twelfth of the third
 * stage's. */
static inline void first_two_stages(points row[ROWS]) {
    points middle[ROWS];
    for (int k = 0; k < 4; k++) {
        four_bins(quarter(row[k]), quarter(row[k + 4]), quarter(row[k + 8]), quarter(row[k + 12]), middle + 4 * k, 1);
    }
    four_bins(quarter(middle[0]), quarter(middle[4]), quarter(middle[8]), quarter(middle[12]), row, 4);
    for (int k = 1; k < 4; k++) {
        turn by[3];
        for (int i = 0; i < 3; i++) {
            const int16_t *factor = tr_turns + 2 * ROW * i + 2 * 4 * k;
            by[i] = (turn){everywhere(factor), everywhere(factor + ROW)};
        }
        turned_bins(middle + k, by, row + k, 4);
    }
}

static inline void last_two_stages(points row[ROWS], int part) {
    points middle[ROWS];
    const int16_t *factors = tr_turns;
    turn by[3];
    for (int i = 0; i < 3; i++, factors += 2 * ROW) {
        by[i] = turn_at(factors, part);
    }
    for (int k = 0; k < 4; k++) {
        turned_bins(row + k, by, middle + 4 * k, 1);
    }
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 3; i++, factors += 2 * ROW) {
            by[i] = turn_at(factors, part);
        }
        turned_bins(middle + k, by, row + k, 4);
    }
}

/* As split_energies of fft.c: bins 1 to 128, and 255 to 128. */
static inline void split(const int16_t *all, int32_t *energies) {
    const int16_t *factors = tr_turns + 2 * ROW * 3 * 5;
    for (int at = 0; at < TR_HALF / 2; at += POINTS) {
        const turn by = turn_at(factors + 2 * ROW * (at / 16), at / POINTS % (16 / POINTS));
        const points a = half(load(all + 2 * (at + 1)));
        const points b = half(conjugate(reversed(load(all + 2 * (TR_HALF - at - POINTS)))));
        const points even = plus(a, b), odd = turned(minus(a, b), by);
        store((int16_t *)(void *)(energies + at + 1), squares(half_sum(even, odd)));
        store((int16_t *)(void *)(energies + TR_HALF - at - POINTS), reversed(squares(half_difference(even, odd))));
    }
}

/* Returns by how many bits the window can be scaled up and stay in an int16; 15 for silence. */
static inline int weigh(const int16_t *samples, int16_t *weighed) {
    points largest = everywhere_int16(0);
    for (int at = 0; at < TR_WINDOW; at += 2 * POINTS) {
        const points value = product_q12(load(samples + at), load(tr_window + at));
        largest = larger(largest, magnitude(value));
        store(weighed + at, value);
    }
    return __builtin_clz(2 * (unsigned)largest_of(largest) + 1) - 16;
}

static int spectrum(const int16_t *samples, int16_t *work, int32_t *energies) {
    int16_t *const other = work + 2 * TR_HALF;
    points row[ROWS];
    const int shift = weigh(samples, work);
    for (int part = 0; part < 16 / POINTS; part++) {
        for (int i = 0; i < ROWS - 1; i++) {
            row[i] = scaled_up(load(work + ROW * i + 2 * POINTS * part), shift);
        }
        row[ROWS - 1] = everywhere_int16(0); /* behind the window */
        first_two_stages(row);
        for (int i = 0; i < ROWS; i++) {
            store(other + ROW * i + 2 * POINTS * part, row[i]);
        }
    }
    for (int part = 0; part < 16 / POINTS; part++) {
        load_transposed(other, part, row);
        last_two_stages(row, part);
        for (int i = 0; i < ROWS; i++) {
            store(work + ROW * i + 2 * POINTS * part, row[i]);
        }
    }
    split(work, energies);
    return shift;
}
