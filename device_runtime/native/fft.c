/* A window and its radix-4 transform in int16, bit for bit that of kissfft's 16-bit build, but laid out for whatever
 * vectors the compiler may use everywhere; and the choice of better ones.
 *
 * kissfft (FIXED_POINT=16) decimates in time. What fixes its bits, and therefore must be kept:
 *  - each stage first divides its four inputs by 4, as a product with 8191 in Q15;
 *  - each product, real or complex, is rounded once: (sum + 2^14) >> 15;
 *  - sums wrap around in int16, so their order does not matter.
 * What is free is the order of the butterflies. Here every stage runs 64 of them side by side: butterfly `lane` reads
 * points lane, lane + 64, lane + 128 and lane + 192. The four results of a stage are put where the next one reads them,
 * in runs of 16 (Stockham's self-sorting form), and one transposition between the second and the third stage turns
 * runs over points into runs over bins. No bit reversal is needed.
 */
#include <string.h>

#include "fft.h"
#include "frontend_tables.h"
#include "processor.h"

enum {
    WINDOW_BITS = 12,
    LANES = 64,
    RUN = 16,
    MIDDLE = TR_HALF / 2,
    QUARTER = 8191,  /* 1/4 in Q15, rounded down as kissfft does */
    HALVE = 16383    /* 1/2 */
};

static inline int16_t wrapped(int32_t value) {
    return (int16_t)(uint16_t)value;
}

static inline int16_t rounded(int32_t product) {
    return wrapped((product + (1 << 14)) >> 15);
}

typedef struct {
    int16_t re, im;
} point;

static inline point quarter(const int16_t *re, const int16_t *im, int at) {
    return (point){rounded(re[at] * QUARTER), rounded(im[at] * QUARTER)};
}

/* The product with the factor whose real and imaginary part are `turn[0]` and `turn[64]`. */
static inline point turned(point v, const int16_t *turn) {
    return (point){rounded(v.re * turn[0] - v.im * turn[64]), rounded(v.re * turn[64] + v.im * turn[0])};
}

/* out[k][lane] is bin k of four points. */
static inline void put_bins(point a, point e, point f, point g, int lane, int16_t out_re[restrict 4][RUN],
                            int16_t out_im[restrict 4][RUN]) {
    out_re[0][lane] = wrapped(a.re + f.re + (e.re + g.re));
    out_im[0][lane] = wrapped(a.im + f.im + (e.im + g.im));
    out_re[1][lane] = wrapped(a.re - f.re + (e.im - g.im));
    out_im[1][lane] = wrapped(a.im - f.im - (e.re - g.re));
    out_re[2][lane] = wrapped(a.re + f.re - (e.re + g.re));
    out_im[2][lane] = wrapped(a.im + f.im - (e.im + g.im));
    out_re[3][lane] = wrapped(a.re - f.re - (e.im - g.im));
    out_im[3][lane] = wrapped(a.im - f.im + (e.re - g.re));
}

/* A run of 16 butterflies. */
static void butterflies(const int16_t *restrict re, const int16_t *restrict im, const int16_t *restrict twiddles,
                        int16_t out_re[restrict 4][RUN], int16_t out_im[restrict 4][RUN]) {
    for (int lane = 0; lane < RUN; ++lane) {
        const int16_t *const turn = twiddles + lane;
        const point e = turned(quarter(re, im, lane + 64), turn);
        const point f = turned(quarter(re, im, lane + 128), turn + 128);
        const point g = turned(quarter(re, im, lane + 192), turn + 256);
        put_bins(quarter(re, im, lane), e, f, g, lane, out_re, out_im);
    }
}

/* The same for the first stage, where every factor is 1: the product with 32767 changes nothing up to 8192. */
static void plain_butterflies(const int16_t *restrict re, const int16_t *restrict im, int16_t out_re[restrict 4][RUN],
                              int16_t out_im[restrict 4][RUN]) {
    for (int lane = 0; lane < RUN; ++lane) {
        const point e = quarter(re, im, lane + 64), f = quarter(re, im, lane + 128), g = quarter(re, im, lane + 192);
        put_bins(quarter(re, im, lane), e, f, g, lane, out_re, out_im);
    }
}

/* One stage of 64 butterflies. Bin k of run r goes to run `bin_step * k + run_step * r` of the output. */
static void stage(const int16_t *in, const int16_t *twiddles, int bin_step, int run_step, int16_t *out) {
    for (int run = 0; run < LANES / RUN; ++run) {
        int16_t re[4][RUN], im[4][RUN];
        if (twiddles) {
            butterflies(in + RUN * run, in + TR_HALF + RUN * run, twiddles + RUN * run, re, im);
        } else {
            plain_butterflies(in + RUN * run, in + TR_HALF + RUN * run, re, im);
        }
        for (int bin = 0; bin < 4; ++bin) {
            int16_t *const to = out + RUN * (bin_step * bin + run_step * run);
            memcpy(to, re[bin], sizeof re[bin]);
            memcpy(to + TR_HALF, im[bin], sizeof im[bin]);
        }
    }
}

static void transpose(const int16_t *restrict in, int16_t *restrict out) {
    for (int row = 0; row < RUN; ++row) {
        for (int column = 0; column < RUN; ++column) {
            out[RUN * row + column] = in[RUN * column + row];
        }
    }
}

/* As int32, like the library: if both parts are -32768 (never seen), it is -2^31. */
static inline int32_t energy(int16_t re, int16_t im) {
    return (int32_t)((uint32_t)(re * re) + (uint32_t)(im * im));
}

/* Points 255, 254, .. 128 as points 1, 2, .. 128, so that the next loop runs forward only. */
static void mirror(const int16_t *restrict in, int16_t *restrict out) {
    for (int bin = 1; bin <= MIDDLE; ++bin) {
        out[bin - 1] = in[TR_HALF - bin];
    }
}

/* Bins of 256 complex points Z to bins of 512 real samples X, k and 256 - k together, and their squared magnitudes:
 * 2 X[k] = (Z[k] + Z*[256-k]) / 2 - i w^k (Z[k] - Z*[256-k]) / 2, where w^k and -i are one factor. */
static void split_energies(const int16_t *restrict re, const int16_t *restrict im, const int16_t *restrict mirrored_re,
                           const int16_t *restrict mirrored_im, int32_t *restrict low, int32_t *restrict high) {
    for (int at = 0; at < MIDDLE; ++at) { /* bin at + 1 */
        const int16_t a_re = rounded(re[at] * HALVE), a_im = rounded(im[at] * HALVE);
        const int16_t b_re = rounded(mirrored_re[at] * HALVE), b_im = rounded(wrapped(-mirrored_im[at]) * HALVE);
        const int16_t even_re = wrapped(a_re + b_re), even_im = wrapped(a_im + b_im);
        const int16_t odd_re = wrapped(a_re - b_re), odd_im = wrapped(a_im - b_im);
        const int16_t w_re = tr_real_twiddles[at], w_im = tr_real_twiddles[MIDDLE + at];
        const int16_t turned_re = rounded(odd_re * w_re - odd_im * w_im);
        const int16_t turned_im = rounded(odd_re * w_im + odd_im * w_re);
        low[at] = energy((int16_t)((even_re + turned_re) >> 1), (int16_t)((even_im + turned_im) >> 1));
        high[at] = energy((int16_t)((even_re - turned_re) >> 1), (int16_t)((turned_im - even_im) >> 1));
    }
}

static void transform(int16_t work[4 * TR_HALF], int32_t energies[TR_HALF]) {
    int16_t *const first = work, *const second = work + 2 * TR_HALF;
    stage(first, NULL, 1, 4, second);
    stage(second, tr_twiddles, 4, 1, first);
    transpose(first, second);
    transpose(first + TR_HALF, second + TR_HALF);
    stage(second, tr_twiddles + 6 * LANES, 1, 4, first);
    stage(first, tr_twiddles + 2 * 6 * LANES, 4, 1, second);

    int32_t high[MIDDLE];
    mirror(second, first);
    mirror(second + TR_HALF, first + MIDDLE);
    split_energies(second + 1, second + TR_HALF + 1, first, first + MIDDLE, energies + 1, high);
    for (int bin = MIDDLE; bin < TR_HALF; ++bin) { /* bin 128 meets itself; kissfft writes the higher one last */
        energies[bin] = high[TR_HALF - 1 - bin];
    }
}

/* Weigh the samples; return the largest magnitude. -32768 counts as none, as in the library, where -(-32768) wraps. */
static int16_t weigh(const int16_t *restrict samples, int16_t *restrict weighed) {
    int16_t largest = 0;
    for (int i = 0; i < TR_WINDOW; ++i) {
        const int16_t value = (int16_t)((samples[i] * tr_window[i]) >> WINDOW_BITS);
        const int16_t negative = (int16_t)(uint16_t)-value;
        const int16_t magnitude = value > negative ? value : negative;
        weighed[i] = value;
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

/* By how many bits the window can be scaled up and stay in an int16; 15 for silence. */
static int headroom(int16_t largest) {
    int shift = 15;
    for (int left = largest; left > 0; left >>= 1) {
        --shift;
    }
    return shift;
}

/* Even samples to the real parts of the transform's input, odd ones to the imaginary parts, zeros after the window. */
static void spread(const int16_t *restrict weighed, int shift, int16_t *restrict re, int16_t *restrict im) {
    for (int i = 0; i < TR_WINDOW / 2; ++i) {
        re[i] = (int16_t)(uint16_t)((uint16_t)weighed[2 * i] << shift);
        im[i] = (int16_t)(uint16_t)((uint16_t)weighed[2 * i + 1] << shift);
    }
    memset(re + TR_WINDOW / 2, 0, (TR_HALF - TR_WINDOW / 2) * sizeof *re);
    memset(im + TR_WINDOW / 2, 0, (TR_HALF - TR_WINDOW / 2) * sizeof *im);
}

int tr_spectrum(const int16_t samples[TR_WINDOW], int16_t work[4 * TR_HALF], int32_t energies[TR_HALF]) {
#ifdef TR_FFT_AVX2
    if (processor.has_avx2) {
        return tr_spectrum_avx2(samples, work, energies);
    }
#endif
    int16_t weighed[TR_WINDOW];
    const int shift = headroom(weigh(samples, weighed));
    spread(weighed, shift, work, work + TR_HALF);
    transform(work, energies);
    return shift;
}
