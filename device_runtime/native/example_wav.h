/* What example.c needs of WAV files. */
#ifndef EXAMPLE_WAV_H
#define EXAMPLE_WAV_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* 16 kHz, 16 bits, one channel */
static const uint8_t wanted[16] = {1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0};

/* Go to the first sample; returns how many bytes of samples are in `head` already, -1 if it is another kind of WAV. */
static int begin_sound(FILE *sound, uint8_t head[16]) {
    size_t got = fread(head, 1, 12, sound);
    if (got < 12 || memcmp(head, "RIFF", 4) != 0) {
        return (int)got;
    }
    while (fread(head, 1, 8, sound) == 8 && memcmp(head, "data", 4) != 0) {
        int is_format = memcmp(head, "fmt ", 4) == 0;
        uint32_t size = head[4] | (uint32_t)head[5] << 8 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 24;
        size += size % 2 - (is_format && size >= 16 ? 16 : 0);
        if (is_format && (fread(head, 1, 16, sound) < 16 || memcmp(head, wanted, 16) != 0)) {
            return -1;
        }
        while (size-- > 0 && fgetc(sound) != EOF) {
        }
    }
    return 0;
}

#endif
