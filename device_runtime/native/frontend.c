/* The stream of the speech front end: cuts samples into windows, scales each and hands it to the transform. */
#include "frontend.h"

#include <string.h>

#include "fft.h"
#include "frontend_bands.h"
#include "frontend_tables.h"

enum { WINDOW_BITS = 12 };

size_t tr_frontend_size(void) {
    return sizeof(TrFrontend);
}

void tr_frontend_init(TrFrontend *frontend) {
    tr_frontend_reset(frontend);
}

void tr_frontend_reset(TrFrontend *frontend) {
    frontend->heard_count = 0;
    memset(frontend->noise, 0, sizeof frontend->noise);
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

static void take_window(TrFrontend *frontend, float features[TR_BANDS]) {
    int16_t weighed[TR_WINDOW];
    const int shift = headroom(weigh(frontend->heard, weighed));
    spread(weighed, shift, frontend->work, frontend->work + TR_HALF);
    tr_fft_energies(frontend->work, frontend->energies);
    tr_frontend_bands(frontend->energies, shift, frontend->noise, features);
}

int tr_frontend_push(TrFrontend *frontend, const int16_t *samples, size_t count, size_t *consumed,
                     float features[TR_BANDS]) {
    const size_t missing = TR_WINDOW - frontend->heard_count;
    const size_t taken = count < missing ? count : missing;
    if (taken > 0) {
        memcpy(frontend->heard + frontend->heard_count, samples, taken * sizeof *samples);
    }
    frontend->heard_count += taken;
    *consumed = taken;
    if (frontend->heard_count < TR_WINDOW) {
        return 0;
    }
    take_window(frontend, features);
    memmove(frontend->heard, frontend->heard + TR_HOP, (TR_WINDOW - TR_HOP) * sizeof *samples);
    frontend->heard_count = TR_WINDOW - TR_HOP;
    return 1;
}
