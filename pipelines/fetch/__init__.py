"""How are the inputs of an assessment made from public global layers?"""
