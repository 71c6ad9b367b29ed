"""One assessment: request, plan, pass over blocks, account, certainty, closure; and many of them as one."""
