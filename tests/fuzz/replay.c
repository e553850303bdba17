/* The files of a corpus through the harness, for a compiler without libFuzzer: replay FILE... */
#include <stdint.h>
#include <stdio.h>

static uint8_t data[1 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        FILE *stored = fopen(names[i], "rb");
        if (stored == NULL) {
            fprintf(stderr, "%s cannot be read\n", names[i]);
            return 2;
        }
        fprintf(stderr, "%s\n", names[i]); /* so that the last line before a crash names its file */
        LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, stored));
        fclose(stored);
    }
    printf("%d files without harm\n", count - 1);
    return 0;
}
