module big-orders

go 1.24
