/* The stream of the speech front end: cuts samples into windows and hands each to the transform. */
#include "frontend.h"

#include <string.h>

#include "fft.h"
#include "frontend_bands.h"

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

static void take_window(TrFrontend *frontend, float features[TR_BANDS]) {
    const int shift = tr_spectrum(frontend->heard, frontend->work, frontend->energies);
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
