/* The parsers of formats, once for char and once for wchar_t. The file that includes this defines CHAR and F(name). */

/* Digits, if any, at `*at`: their number, or -1. */
static long F(digits)(const CHAR **at)
{
    long number = 0;
    if (**at < '0' || **at > '9')
        return -1;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        if (number < 100000000)
            number = number * 10 + (**at - '0');
    return number;
}

/* N$ at `*at`: the argument's number from 0, otherwise the next one. */
static int F(position)(const CHAR **at, int *next)
{
    const CHAR *start = *at;
    long number = F(digits)(at);
    if (number > 0 && **at == '$') {
        (*at)++;
        return (int)number - 1;
    }
    *at = start;
    return (*next)++;
}

/* -2: hh, -1: h, 0: none, 1: l, 2: ll and what is as long, 3: L. */
static int F(length)(const CHAR **at)
{
    switch (*(*at)++) {
    case 'h':
        if (**at != 'h')
            return -1;
        (*at)++;
        return -2;
    case 'l':
        if (**at != 'l')
            return 1;
        (*at)++;
        return 2;
    case 'q':
    case 'j':
    case 'z':
    case 'Z':
    case 't':
        return 2;
    case 'L':
        return 3;
    default:
        (*at)--;
        return 0;
    }
}

M4M_HIDDEN void F(printf)(struct m4m_plan *plan, const CHAR *at)
{
    int next = 0;
    plan->arguments = plan->uses = 0;
    while (*at != 0) {
        struct m4m_use use = {0, 0, 0, 0, -1, SIZE_MAX};
        int positional = -1, length;
        long number;
        const CHAR *start;
        if (*at++ != '%')
            continue;
        start = at;
        number = F(digits)(&at);
        if (number > 0 && *at == '$')
            positional = (int)number - 1, at++;
        else
            at = start;
        while (*at == '-' || *at == '+' || *at == ' ' || *at == '#' || *at == '0' || *at == '\'' || *at == 'I')
            at++;
        if (*at == '*') {
            at++;
            if (!add_argument(plan, F(position)(&at, &next), M4M_INT))
                return;
        } else {
            (void)F(digits)(&at);
        }
        if (*at == '.') {
            at++;
            if (*at == '*') {
                at++;
                use.precision = (short)F(position)(&at, &next);
                if (!add_argument(plan, use.precision, M4M_INT))
                    return;
            } else {
                number = F(digits)(&at);
                use.size = number < 0 ? 0 : (size_t)number;
            }
        }
        length = F(length)(&at);
        if (*at == 0)
            return;
        if (*at == '%' || *at == 'm') {
            at++;
            continue;
        }
        use.argument = (short)(positional >= 0 ? positional : next++);
        switch (*at++) {
        case 'd':
        case 'i':
        case 'o':
        case 'u':
        case 'x':
        case 'X':
        case 'b':
        case 'B':
            if (!add_argument(plan, use.argument, length > 0 ? M4M_LONG : M4M_INT))
                return;
            continue;
        case 'c':
        case 'C':
            if (!add_argument(plan, use.argument, M4M_INT))
                return;
            continue;
        case 'a':
        case 'A':
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G':
            if (!add_argument(plan, use.argument, length >= 2 ? M4M_LONG_DOUBLE : M4M_DOUBLE))
                return;
            continue;
        case 'p':
            if (!add_argument(plan, use.argument, M4M_POINTER))
                return;
            continue;
        case 's':
            use.kind = length >= 1 ? M4M_WIDE_TEXT : M4M_TEXT;
            break;
        case 'S':
            use.kind = M4M_WIDE_TEXT;
            break;
        case 'n':
            use.kind = M4M_COUNT;
            use.size = length == -2 ? 1 : length == -1 ? sizeof(short) : length == 0 ? sizeof(int) : sizeof(long);
            break;
        default:
            return; /* registered by the program: what it takes is unknown */
        }
        if (!add_argument(plan, use.argument, M4M_POINTER))
            return;
        plan->use[plan->uses++] = use;
        if (plan->uses == M4M_ARGUMENTS)
            return;
    }
}

M4M_HIDDEN void F(scanf)(struct m4m_plan *plan, const CHAR *at, int old)
{
    int next = 0;
    plan->arguments = plan->uses = 0;
    while (*at != 0) {
        struct m4m_use use = {M4M_VALUE, 1, 0, 0, -1, 0};
        int suppressed = 0, positional = -1, length;
        long width;
        const CHAR *start;
        if (*at++ != '%')
            continue;
        start = at;
        width = F(digits)(&at);
        if (width > 0 && *at == '$')
            positional = (int)width - 1, at++;
        else
            at = start;
        for (; *at == '*' || *at == '\'' || *at == 'I'; at++)
            suppressed |= *at == '*';
        width = F(digits)(&at);
        if (*at == 'm' || (old && *at == 'a' && (at[1] == 's' || at[1] == 'S' || at[1] == '['))) {
            use.allocates = 1;
            at++;
        }
        length = F(length)(&at);
        switch (*at == 0 ? 0 : (int)*at++) {
        case '%':
            continue;
        case 'd':
        case 'i':
        case 'o':
        case 'u':
        case 'x':
        case 'X':
        case 'b':
            use.size = length == -2 ? 1 : length == -1 ? sizeof(short) : length == 0 ? sizeof(int) : sizeof(long);
            break;
        case 'p':
            use.size = sizeof(void *);
            break;
        case 'n':
            use.size = length == -2 ? 1 : length == -1 ? sizeof(short) : length == 0 ? sizeof(int) : sizeof(long);
            use.kind = M4M_COUNT;
            use.counted = 0;
            break;
        case 'a':
        case 'A':
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G':
            use.size = length >= 2 ? sizeof(long double) : length == 1 ? sizeof(double) : sizeof(float);
            break;
        case 'C':
            use.kind = M4M_WIDE_CHARS;
            use.size = width > 0 ? (size_t)width : 1;
            break;
        case 'c':
            use.kind = length >= 1 ? M4M_WIDE_CHARS : M4M_CHARS;
            use.size = width > 0 ? (size_t)width : 1;
            break;
        case 'S':
            use.kind = M4M_WIDE_TEXT;
            break;
        case 's':
            use.kind = length >= 1 ? M4M_WIDE_TEXT : M4M_TEXT;
            break;
        case '[':
            use.kind = length >= 1 ? M4M_WIDE_TEXT : M4M_TEXT;
            if (*at == '^')
                at++;
            if (*at == ']')
                at++;
            while (*at != 0 && *at != ']')
                at++;
            if (*at == 0)
                return;
            at++;
            break;
        default:
            return;
        }
        if (suppressed)
            continue;
        use.argument = (short)(positional >= 0 ? positional : next++);
        if (!add_argument(plan, use.argument, M4M_POINTER))
            return;
        plan->use[plan->uses++] = use;
        if (plan->uses == M4M_ARGUMENTS)
            return;
    }
}
