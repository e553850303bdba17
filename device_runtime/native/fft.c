/* The real transform with whatever vectors the compiler may use everywhere, and the choice of better ones. */
#include "fft_body.h"
#include "processor.h"

void tr_fft_energies(int16_t work[4 * TR_HALF], int32_t energies[TR_HALF]) {
#ifdef TR_FFT_AVX2
    if (processor.has_avx2) {
        tr_fft_energies_avx2(work, energies);
        return;
    }
#endif
    energies_of(work, energies);
}
