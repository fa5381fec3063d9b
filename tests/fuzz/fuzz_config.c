/* YAML, and the options that it sets. */
#include "balans/app/options.h"
#include "balans/app/params.h"
#include "balans/io/config.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bal_config *file = NULL;
    bal_params p = {0};

    if (!bal_failed(bal_config_parse("fuzz.yaml", (const char *)data,
                                     (bal_size)size, &file)) &&
        !bal_failed(bal_params_default(&p)))
        (void)bal_options_configure(&p, file);
    bal_params_destroy(&p);
    bal_config_destroy(&file);
    bal_error_clear();
    return 0;
}
