/* Every unit that can be multiplied by a positive number gets the power of two that FORMAT.md chooses. */
#include "rewrite/factors/normal_factors.h"
#include "rewrite/pass.h"

size_t cnx_pass_scales(cnx_rewrite *rewrite)
{
    return rewrite->keep_scales ? 0 : cnx_normalize_scales(rewrite);
}
