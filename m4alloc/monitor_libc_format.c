/* The parsers of printf's and scanf's formats. */
#include "monitor_libc_format.h"
#include <wchar.h>

_Static_assert(sizeof(long) == sizeof(long long) && sizeof(long) == sizeof(void *), "an argument is an int or a long");

/* Argument `number` is of this type. Not if it is out of reach, or said to be of two types. */
static int add_argument(struct m4m_plan *plan, int number, enum m4m_type type)
{
    if (number < 0 || number >= M4M_ARGUMENTS)
        return 0;
    while (plan->arguments <= number)
        plan->types[plan->arguments++] = M4M_NO_TYPE;
    if (plan->types[number] != M4M_NO_TYPE && plan->types[number] != type)
        return 0;
    plan->types[number] = (unsigned char)type;
    return 1;
}

#define CHAR char
#define F(name) m4m_plan_##name
#include "monitor_libc_parse.h"
#undef CHAR
#undef F
#define CHAR wchar_t
#define F(name) m4m_plan_w##name
#include "monitor_libc_parse.h"

M4M_HIDDEN int m4m_take_arguments(const struct m4m_plan *plan, va_list list, union m4m_value *values)
{
    va_list copy;
    int number;
    va_copy(copy, list);
    for (number = 0; number < plan->arguments; number++) {
        if (plan->types[number] == M4M_NO_TYPE)
            break;
        values[number].whole = 0;
        switch (plan->types[number]) {
        case M4M_INT:
            values[number].whole = va_arg(copy, int);
            break;
        case M4M_LONG:
            values[number].whole = va_arg(copy, long);
            break;
        case M4M_DOUBLE:
            (void)va_arg(copy, double);
            break;
        case M4M_LONG_DOUBLE:
            (void)va_arg(copy, long double);
            break;
        default:
            values[number].pointer = va_arg(copy, void *);
        }
    }
    va_end(copy);
    return number;
}
