"""Operations, one file each, in the order a person would do them."""
