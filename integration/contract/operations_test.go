package contract

import "fmt"

const diffTable = "differential"

// next invents one request.
func (g *generator) next() (op string, req object) {
	g.names, g.values = map[string]string{}, map[string]any{}
	switch n := g.r.IntN(100); {
	case n < 18:
		return "PutItem", g.put()
	case n < 50:
		return "UpdateItem", g.updateItem()
	case n < 58:
		return "DeleteItem", g.deleteItem()
	case n < 66:
		return "GetItem", g.getItem()
	case n < 82:
		return "Query", g.query()
	case n < 85:
		return "Scan", g.scan()
	case n < 95:
		return "TransactWriteItems", g.transact()
	case n < 97:
		return "TransactGetItems", object{"TransactItems": []any{object{"Get": object{"TableName": diffTable, "Key": g.key()}}, object{"Get": g.getItem()}}}
	case n < 98:
		return "BatchGetItem", object{"RequestItems": object{diffTable: object{"Keys": []any{g.key(), g.key()}}}}
	}
	return "BatchWriteItem", object{"RequestItems": object{diffTable: []any{
		object{"PutRequest": object{"Item": g.item()}}, object{"DeleteRequest": object{"Key": g.key()}}}}}
}

// write finishes a conditional write.
func (g *generator) write(req object, percent int) object {
	req["TableName"] = diffTable
	if g.chance(percent) {
		req["ConditionExpression"] = g.condition(2)
		if g.chance(30) {
			req["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
		}
	}
	return g.attach(req)
}

func (g *generator) put() object {
	req := object{"Item": g.item()}
	if g.chance(40) {
		req["ReturnValues"] = g.pick("ALL_OLD", "NONE", "ALL_NEW")
	}
	return g.write(req, 50)
}

func (g *generator) updateItem() object {
	req := object{"Key": g.key()}
	if g.chance(95) {
		req["UpdateExpression"] = g.update()
	}
	if g.chance(70) {
		req["ReturnValues"] = g.pick("ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW", "NONE")
	}
	return g.write(req, 30)
}

func (g *generator) deleteItem() object {
	req := object{"Key": g.key()}
	if g.chance(50) {
		req["ReturnValues"] = "ALL_OLD"
	}
	return g.write(req, 50)
}

func (g *generator) projection() string {
	out := g.path()
	for range g.r.IntN(3) {
		out += ", " + g.path()
	}
	return out
}

func (g *generator) getItem() object {
	req := object{"TableName": diffTable, "Key": g.key()}
	if g.chance(3) {
		req["Key"] = object{"pk": object{"S": "a"}}
	}
	if g.chance(50) {
		req["ProjectionExpression"] = g.projection()
	}
	return g.attach(req)
}

func (g *generator) query() object {
	req := object{"TableName": diffTable, "ScanIndexForward": g.chance(70)}
	switch g.r.IntN(4) {
	case 0:
		req["IndexName"] = "byNumber"
		req["KeyConditionExpression"] = g.name("gpk") + " = " + g.placeholder(object{"S": g.pick("g", "h")})
		if g.chance(50) {
			req["KeyConditionExpression"] = req["KeyConditionExpression"].(string) + " AND gsk " + g.pick("=", "<", ">=", ">", "<=") + " " + g.placeholder(object{"N": g.number()})
		}
	case 1:
		req["IndexName"] = "keysOnly"
		req["KeyConditionExpression"] = "gpk = " + g.placeholder(object{"S": g.pick("g", "h")})
	default:
		req["KeyConditionExpression"] = g.keyCondition()
		if g.chance(30) {
			req["Limit"] = 1 + g.r.IntN(3)
		}
		if g.chance(20) {
			req["ExclusiveStartKey"] = g.key()
		}
	}
	if g.chance(30) {
		req["FilterExpression"] = g.condition(1)
	}
	switch g.r.IntN(6) {
	case 0:
		req["ProjectionExpression"] = g.projection()
	case 1:
		req["Select"] = g.pick("COUNT", "ALL_ATTRIBUTES", "SPECIFIC_ATTRIBUTES")
	}
	return g.attach(req)
}

func (g *generator) keyCondition() string {
	pk := g.name("pk") + " = " + g.placeholder(object{"S": g.pick("a", "b", "c")})
	sk := func() string { return g.placeholder(object{"S": g.pick("1", "2", "3", "4")}) }
	switch g.r.IntN(8) {
	case 0:
		return pk
	case 1:
		return pk + " AND begins_with(sk, " + sk() + ")"
	case 2:
		return "sk BETWEEN " + sk() + " AND " + sk() + " AND " + pk
	case 3:
		return pk + " AND (sk = " + sk() + ")"
	case 4:
		return pk + g.pick(" OR ", " AND ") + g.pick("sk", "a", "pk") + g.pick(" = ", " <> ") + sk()
	}
	return pk + " AND " + g.name("sk") + " " + g.pick("<", "<=", ">", ">=", "=") + " " + sk()
}

func (g *generator) scan() object {
	req := object{"TableName": diffTable}
	if g.chance(50) {
		req["FilterExpression"] = g.condition(1)
	}
	if g.chance(30) {
		req["IndexName"] = g.pick("byNumber", "keysOnly")
	}
	return g.attach(req)
}

func (g *generator) transact() object {
	var items []any
	for range 1 + g.r.IntN(3) {
		g.names, g.values = map[string]string{}, map[string]any{}
		var one object
		switch g.r.IntN(4) {
		case 0:
			one = object{"Put": g.write(object{"Item": g.item()}, 40)}
		case 1:
			one = object{"Delete": g.write(object{"Key": g.key()}, 40)}
		case 2:
			one = object{"ConditionCheck": g.write(object{"Key": g.key()}, 100)}
		default:
			req := object{"Key": g.key()}
			req["UpdateExpression"] = g.update()
			one = object{"Update": g.write(req, 30)}
		}
		items = append(items, one)
	}
	req := object{"TransactItems": items}
	if g.chance(30) {
		req["ClientRequestToken"] = fmt.Sprintf("token-%d", g.r.IntN(40))
	}
	return req
}
