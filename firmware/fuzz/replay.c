/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds files to the fuzz target, without libFuzzer: `replay FILE...`. */
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most)
{
    (void)data;
    (void)most;
    return size;
}

int main(int count, char **names)
{
    static uint8_t input[1 << 20];
    int k;

    for (k = 1; k < count; k++) {
        FILE *file = fopen(names[k], "rb");

        if (!file) {
            perror(names[k]);
            return 1;
        }
        LLVMFuzzerTestOneInput(input, fread(input, 1, sizeof input, file));
        fclose(file);
    }
    printf("%d inputs\n", count - 1);
    return 0;
}
