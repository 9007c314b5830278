/* Every unit whose sign can change gets the one that FORMAT.md chooses. */
#include "rewrite/factors/normal_factors.h"
#include "rewrite/pass.h"

size_t cnx_pass_signs(cnx_rewrite *rewrite)
{
    return cnx_normalize_signs(rewrite);
}
