/* The smallest program that uses the library: log10 of the order of a model's permutation group. */
#include <canonnx.h>

int main(int argc, char **argv)
{
    cnx_model *model = NULL;
    const cnx_symmetry *symmetry = NULL;
    cnx_error error = {0};
    if (argc == 2 && cnx_model_open(argv[1], &model, &error) == CNX_OK &&
        cnx_find_symmetry(model, &symmetry, &error) == CNX_OK)
        printf("log10 |G| = %.15g\n", symmetry->log10_order);
    cnx_model_close(model);
    return symmetry ? 0 : 2;
}
